-- Note how an attempt to deliver a webhook ended.
-- KEYS: turns, open jobs, webhooks
-- ARGV: job prefix, job, state (pending, delivered, failed or postponed), what went wrong ('' for nothing), seconds until it
--   is tried again
local base = ARGV[1] .. ARGV[2]
if redis.call('EXISTS', base) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[2])
  return
end
if ARGV[3] == 'postponed' then
  -- Nothing was tried: all stays as it was before the claim.
  if tonumber(redis.call('HGET', base, 'webhook_attempts') or 0) > 0 then
    redis.call('HINCRBY', base, 'webhook_attempts', -1)
  end
  redis.call('ZADD', KEYS[3], 'XX', math.floor(now_ms() / 1000) + ARGV[5], ARGV[2])
  return
end
redis.call('HSET', base, 'webhook_state', ARGV[3], 'webhook_error', ARGV[4])
if ARGV[3] == 'pending' then
  local next_at = math.floor(now_ms() / 1000) + ARGV[5]
  redis.call('HSET', base, 'webhook_next_at', next_at)
  redis.call('ZADD', KEYS[3], 'XX', next_at, ARGV[2])
else
  redis.call('HDEL', base, 'webhook_next_at')
  redis.call('ZREM', KEYS[3], ARGV[2])
end
