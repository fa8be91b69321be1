-- Drops rules that were only tried out, once nobody tries them any more.
-- KEYS: rules of the version, rules that are kept for a while, and of which key.
if redis.call('HEXISTS', KEYS[1], 'tries') == 0 then return 0 end
if redis.call('HINCRBY', KEYS[1], 'tries', -1) <= 0 and redis.call('TTL', KEYS[1]) >= 0 then
  redis.call('UNLINK', KEYS[1])
  forget_passing(KEYS[2], KEYS[3], KEYS[1])
end
return 1
