-- Goes before the scripts that store rules: bounds what is kept for a while only, replaced, deleted and tried rules.
-- `passing` is a sorted set of their keys by when they end (Unix seconds). What a job pins beyond that is the job's.
local function note_passing(passing, rules_key, seconds)
  redis.call('ZADD', passing, tonumber(redis.call('TIME')[1]) + seconds, rules_key)
  redis.call('EXPIRE', passing, math.max(seconds, redis.call('TTL', passing)))
end

-- Seconds until there may be room for `rules` among at most `most_bytes`; 0 if there is. Each counts as a thousandth at
-- least, so that there are never many to count.
local function wait_for_room(passing, rules, most_bytes)
  local now = tonumber(redis.call('TIME')[1])
  redis.call('ZREMRANGEBYSCORE', passing, '-inf', now)
  local least = math.floor(most_bytes / 1000)
  local bytes = math.max(#rules, least)
  for _, key in ipairs(redis.call('ZRANGE', passing, 0, -1)) do
    bytes = bytes + math.max(redis.call('HSTRLEN', key, 'rules'), least)
  end
  local first = redis.call('ZRANGE', passing, 0, 0, 'WITHSCORES')
  if bytes <= most_bytes or #first == 0 then return 0 end
  return math.max(1, tonumber(first[2]) - now)
end
