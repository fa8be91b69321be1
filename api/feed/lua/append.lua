-- Appends texts to one owner's feed, each a key that expires by itself, and drops the oldest where there are too many.
-- KEYS: index (numbers by number), sizes (number -> bytes)
-- ARGV: most texts, seconds that one is kept, prefix of the texts' keys, bytes of a text besides its JSON, owner, id of its key,
--       bytes still to come for the owner, bytes of the store that are free ('' for no limit), texts as JSON.
local most, ttl, prefix, owner = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[5]
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
if last and tonumber(last) >= number then number = tonumber(last) + 1 end
local before, change = tonumber(redis.call('HGET', USAGE .. owner, KEYS[1]) or 0), 0

-- Of a text that an earlier version kept no size is known.
local function drop(name)
  change = change - tonumber(redis.call('HGET', KEYS[2], name) or 0)
  redis.call('HDEL', KEYS[2], name)
  redis.call('ZREM', KEYS[1], name)
  redis.call('UNLINK', prefix .. name)
end

for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', (time[1] - ttl) * 1000000))) do
  drop(name)
end
-- As for all else that a key stores: no more than it leaves free. Without room the newest take the place of the oldest.
local taken, free = usage_of(owner) + tonumber(ARGV[7]) + kept_by(ARGV[6]), tonumber(ARGV[8])
local may_grow = not free or (free > 0 and taken == 0) or taken < free
for place = 9, #ARGV do
  local name = string.format('%.0f', number)
  local bytes = #ARGV[place] + tonumber(ARGV[4])
  redis.call('SET', prefix .. name, ARGV[place], 'EX', ttl)
  redis.call('ZADD', KEYS[1], name, name)
  redis.call('HSET', KEYS[2], name, bytes)
  change = change + bytes
  number = number + 1
end
local over = math.max(0, redis.call('ZCARD', KEYS[1]) - most)
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do
  if over > 0 then drop(old) end
end
while not may_grow and change > 0 do
  drop(redis.call('ZRANGE', KEYS[1], 0, 0)[1])
end
redis.call('EXPIRE', KEYS[1], ttl)
redis.call('EXPIRE', KEYS[2], ttl)
if before + change > 0 then
  begin_usage(owner, KEYS[1], change, time[1] + ttl)
else
  end_usage(owner, KEYS[1])
end
