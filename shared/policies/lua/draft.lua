-- Keeps rules that are tried out for a while; rules that are in use stay as they are.
-- KEYS: rules of the version, rules that are kept for a while, and of which key. ARGV: rules, seconds, most bytes of
--       rules kept so, id of the key, 1 if keys share them.
-- Returns 0, or in how many seconds there may be room.
local seconds = tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  local wait_s = wait_for_room(KEYS[2], KEYS[3], ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5])
  if wait_s > 0 then return wait_s end
  redis.call('HSET', KEYS[1], 'rules', ARGV[1], 'tries', 1)
  redis.call('EXPIRE', KEYS[1], seconds)
  note_passing(KEYS[2], KEYS[3], KEYS[1], seconds, ARGV[4])
  return 0
end
if redis.call('HEXISTS', KEYS[1], 'tries') == 1 then redis.call('HINCRBY', KEYS[1], 'tries', 1) end
local ttl = redis.call('TTL', KEYS[1])
if ttl >= 0 and ttl < seconds then
  redis.call('EXPIRE', KEYS[1], seconds)
  note_passing(KEYS[2], KEYS[3], KEYS[1], seconds, ARGV[4])
end
return 0
