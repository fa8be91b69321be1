-- Hands out items of a review queue to one reviewer: first those that the reviewer holds already, then open ones.
-- KEYS: open (numbers by rank), leases (numbers by the time they end), holders (number -> reviewer), ranks (number ->
--       rank; of a job's rows the rank is the number)
-- ARGV: now, seconds of a lease, reviewer, how many
local now, ends, reviewer, count = tonumber(ARGV[1]), tonumber(ARGV[1]) + tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

-- Leases that ran out make their items open again, at their old rank.
for _, number in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('ZADD', KEYS[1], redis.call('HGET', KEYS[4], number) or number, number)
  redis.call('ZREM', KEYS[2], number)
  redis.call('HDEL', KEYS[3], number)
end

local given = {}
for _, number in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if #given < count and redis.call('HGET', KEYS[3], number) == reviewer then
    given[#given + 1] = number
  end
end
while #given < count do
  local popped = redis.call('ZPOPMIN', KEYS[1])
  if not popped[1] then break end
  given[#given + 1] = popped[1]
end
for _, number in ipairs(given) do
  redis.call('ZADD', KEYS[2], ends, number)
  redis.call('HSET', KEYS[3], number, reviewer)
end
return given
