-- Goes before the scripts that change or show decisions: counts them beside, so that nobody has to read them all.
-- `tally` has approve, reject and day:N (days since 1970, UTC); `names` has decisions by reviewer, those beyond the
-- first names together.
local MOST_NAMES, OTHERS = 100, '(others)'

local function add(hash, field, change)
  if redis.call('HINCRBY', hash, field, change) <= 0 then redis.call('HDEL', hash, field) end
end

local function count(tally, names, raw, change)
  local decision = cjson.decode(raw)
  local name = decision.reviewer
  if redis.call('HEXISTS', names, name) == 0 and (change < 0 or redis.call('HLEN', names) >= MOST_NAMES) then
    name = OTHERS
  end
  add(tally, decision.decision, change)
  add(tally, string.format('day:%d', math.floor(decision.decided_at / 86400)), change)
  add(names, name, change)
end

-- Of a queue whose decisions an earlier program kept, which counted none.
local function count_uncounted(tally, names, decisions)
  local counted = redis.call('HMGET', tally, 'approve', 'reject')
  if tonumber(counted[1] or 0) + tonumber(counted[2] or 0) == redis.call('HLEN', decisions) then return end
  redis.call('DEL', tally, names)
  for _, raw in ipairs(redis.call('HVALS', decisions)) do count(tally, names, raw, 1) end
  local left_ms = redis.call('PTTL', decisions)
  if left_ms > 0 then
    redis.call('PEXPIRE', tally, left_ms)
    redis.call('PEXPIRE', names, left_ms)
  end
end
