-- Appends texts to one owner's feed, each a key that expires by itself, and drops the oldest where there are too many.
-- KEYS: index (numbers by number). ARGV: most texts, seconds that one is kept, prefix of the texts' keys, texts as JSON.
local most, ttl, prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local number = time[1] * 1000000 + time[2]
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0)[1]
if last and tonumber(last) >= number then number = tonumber(last) + 1 end
for place = 4, #ARGV do
  local name = string.format('%.0f', number)
  redis.call('SET', prefix .. name, ARGV[place], 'EX', ttl)
  redis.call('ZADD', KEYS[1], name, name)
  number = number + 1
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', (time[1] - ttl) * 1000000))
local over = redis.call('ZCARD', KEYS[1]) - most
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, over - 1)) do redis.call('UNLINK', prefix .. old) end
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
end
redis.call('EXPIRE', KEYS[1], ttl)
