-- Adds texts of the live feed to a review queue, and drops those whose time is over with what was decided of them.
-- KEYS: open (numbers by rank), leases, holders, decisions, ranks (number -> rank), seen (numbers by number), state,
--       tally, names, sizes (number -> bytes)
-- ARGV: prefix of the items' keys, the oldest number still kept, most open items, cursor that the caller has read,
--       new cursor, owner, the queue's key, its end in Unix seconds, bytes of an item besides its JSON, then for each
--       item its number, rank, end in Unix seconds, and JSON.
-- Returns whether the cursor was the caller's; if not, another process has added these texts.
local prefix, owner, queue = ARGV[1], ARGV[6], ARGV[7]
local change = 0

local function forget_size(number)
  change = change - tonumber(redis.call('HGET', KEYS[10], number) or 0)
  redis.call('HDEL', KEYS[10], number)
end

-- The queue lives on with its feed, and so does what is counted of it. One of an earlier version is not counted.
local function count_change()
  if change_usage(owner, queue, change) then usage_ends_at(owner, queue, ARGV[8]) end
end

for _, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', '(' .. ARGV[2])) do
  redis.call('ZREM', KEYS[1], number)
  redis.call('ZREM', KEYS[2], number)
  redis.call('HDEL', KEYS[3], number)
  local decision = redis.call('HGET', KEYS[4], number)
  if decision then
    redis.call('HDEL', KEYS[4], number)
    count(KEYS[8], KEYS[9], decision, -1)
  end
  redis.call('HDEL', KEYS[5], number)
  forget_size(number)
end
redis.call('ZREMRANGEBYSCORE', KEYS[6], '-inf', '(' .. ARGV[2])
if (redis.call('HGET', KEYS[7], 'cursor') or '0') ~= ARGV[4] then
  count_change()
  return 0
end
for place = 10, #ARGV, 4 do
  local number = ARGV[place]
  redis.call('SET', prefix .. number, ARGV[place + 3])
  redis.call('EXPIREAT', prefix .. number, ARGV[place + 2])
  redis.call('ZADD', KEYS[1], ARGV[place + 1], number)
  redis.call('HSET', KEYS[5], number, ARGV[place + 1])
  redis.call('ZADD', KEYS[6], number, number)
  local bytes = #ARGV[place + 3] + tonumber(ARGV[9])
  redis.call('HSET', KEYS[10], number, bytes)
  change = change + bytes
end
redis.call('HSET', KEYS[7], 'cursor', ARGV[5])
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[3])
if over > 0 then
  local dropped = redis.call('ZPOPMAX', KEYS[1], over)
  for place = 1, #dropped, 2 do
    redis.call('UNLINK', prefix .. dropped[place])
    redis.call('HDEL', KEYS[5], dropped[place])
    redis.call('ZREM', KEYS[6], dropped[place])
    forget_size(dropped[place])
  end
  redis.call('HINCRBY', KEYS[7], 'left_out', over)
end
count_change()
return 1
