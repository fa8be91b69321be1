-- Goes before the scripts that store rules: bounds what is kept for a while only, replaced, deleted and tried rules.
-- `passing` is a sorted set of their keys by when they end (Unix seconds), `passing_of` a hash of the keys' ids whose
-- changes left them. What a job pins beyond that is the job's.
local function note_passing(passing, passing_of, rules_key, seconds, owner)
  redis.call('ZADD', passing, tonumber(redis.call('TIME')[1]) + seconds, rules_key)
  redis.call('HSET', passing_of, rules_key, owner)
  local left = math.max(seconds, redis.call('TTL', passing))
  redis.call('EXPIRE', passing, left)
  redis.call('EXPIRE', passing_of, left)
end

local function forget_passing(passing, passing_of, rules_key)
  redis.call('ZREM', passing, rules_key)
  redis.call('HDEL', passing_of, rules_key)
end

-- Seconds until there may be room for `rules` among at most `most_bytes`; 0 if there is. Each counts as a thousandth at
-- least, so that there are never many to count. Where keys share it (1), one of them takes no more than it leaves free.
local function wait_for_room(passing, passing_of, rules, most_bytes, owner, is_shared)
  local now = tonumber(redis.call('TIME')[1])
  for _, key in ipairs(redis.call('ZRANGE', passing, '-inf', now, 'BYSCORE')) do
    forget_passing(passing, passing_of, key)
  end
  local least = math.floor(most_bytes / 1000)
  local new, all, own, first, first_own = math.max(#rules, least), 0, 0, nil, nil
  local found = redis.call('ZRANGE', passing, 0, -1, 'WITHSCORES')
  for place = 1, #found, 2 do
    local bytes, ends = math.max(redis.call('HSTRLEN', found[place], 'rules'), least), tonumber(found[place + 1])
    all, first = all + bytes, first or ends
    if redis.call('HGET', passing_of, found[place]) == owner then
      own, first_own = own + bytes, first_own or ends
    end
  end
  if first and all + new > most_bytes then return math.max(1, first - now) end
  if is_shared == '1' and first_own and own + new > most_bytes - all - new then return math.max(1, first_own - now) end
  return 0
end
