-- Keeps rules that are tried out for a while; rules that are in use stay as they are.
-- KEYS: rules of the version. ARGV: rules, seconds.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'rules', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
else
  local ttl = redis.call('TTL', KEYS[1])
  if ttl >= 0 and ttl < tonumber(ARGV[2]) then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
end
return 1
