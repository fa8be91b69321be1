-- Take the job whose webhook is due, count an attempt, and let no other process take it for a while.
-- Receivers and owners that are busy are passed over, so that a slow one delays nobody else. So are all that were tried
-- before, where retries are busy.
-- KEYS: turns, open jobs, webhooks
-- ARGV: job prefix, seconds until another process may try, busy receivers and busy owners as JSON lists, 1 if retries
--   are busy
-- Returns {job, owner, receiver, number of the attempt from 1} or nothing.
local MOST_LOOKED_AT = 500
local PASSED_OVER_S = 2
local now_s = math.floor(now_ms() / 1000)

local function set_of(list)
  local set = {}
  for _, name in ipairs(cjson.decode(list)) do
    set[name] = true
  end
  return set
end

local receivers, owners = set_of(ARGV[3]), set_of(ARGV[4])
local due = redis.call('ZRANGE', KEYS[3], '-inf', now_s, 'BYSCORE', 'LIMIT', 0, MOST_LOOKED_AT)
for _, job in ipairs(due) do
  local base = ARGV[1] .. job
  local fields = redis.call('HMGET', base, 'webhook', 'owner', 'webhook_attempts')
  local receiver = fields[1] and string.lower(string.match(fields[1], '^%a+://([^/?#]*)') or '')
  if not receiver then
    -- Deleted or expired.
    redis.call('ZREM', KEYS[3], job)
  elseif not receivers[receiver] and not owners[fields[2]] and not (ARGV[5] == '1' and tonumber(fields[3] or 0) > 0) then
    redis.call('ZADD', KEYS[3], now_s + ARGV[2], job)
    return {job, fields[2], receiver, redis.call('HINCRBY', base, 'webhook_attempts', 1)}
  end
end
if #due == MOST_LOOKED_AT then
  -- All of them wait for somebody busy: let those behind them come first.
  for _, job in ipairs(due) do
    redis.call('ZADD', KEYS[3], 'XX', now_s + PASSED_OVER_S, job)
  end
end
return nil
