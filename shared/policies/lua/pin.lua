-- Keeps the rules of one version for a job that begins with them, whatever becomes of the policy.
-- KEYS: rules of the version. ARGV: seconds. Returns whether they are there.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
local until_then = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[1])
if until_then > tonumber(redis.call('HGET', KEYS[1], 'pinned_until') or '0') then
  redis.call('HSET', KEYS[1], 'pinned_until', until_then)
end
local ttl = redis.call('TTL', KEYS[1])
if ttl >= 0 and ttl < tonumber(ARGV[1]) then
  redis.call('EXPIRE', KEYS[1], ARGV[1])
end
return 1
