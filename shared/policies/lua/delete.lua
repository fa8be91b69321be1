-- Deletes a policy; its rules are kept for those who began with them, its versions for those who want it back.
-- KEYS: heads by name, counter of versions, kept heads, kept rules, deleted names by time, rules kept for a
--       while, sizes, and the keys that left those rules. ARGV: name, wanted version ("" any), seconds that its rules stay, prefix of the policy's rules, seconds that its versions stay, prefix of the
--       versions of all policies, most deleted policies whose versions are kept, most bytes of their rules together,
--       id of the key.
-- Returns {outcome, version}: deleted, changed (the wanted version is not the newest), missing.
local found = redis.call('HGET', KEYS[1], ARGV[1])
if not found then
  return {'missing', 0}
end
local version, _, digest = found:match('^(%d+) (%d+) (%x+) ')
if ARGV[2] ~= '' and ARGV[2] ~= version then
  return {'changed', tonumber(version)}
end
keep_unkept(KEYS[3], KEYS[4], found, ARGV[4] .. digest)
redis.call('EXPIRE', KEYS[3], ARGV[5])
redis.call('EXPIRE', KEYS[4], ARGV[5])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[7], ARGV[1])
redis.call('INCR', KEYS[2])
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - tonumber(ARGV[5]))
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.call('EXPIRE', KEYS[5], ARGV[5])
drop_deleted(KEYS[1], KEYS[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]))
local rules = ARGV[4] .. digest
local pinned_until = tonumber(redis.call('HGET', rules, 'pinned_until') or '0')
redis.call('EXPIRE', rules, math.max(tonumber(ARGV[3]), pinned_until - now))
note_passing(KEYS[6], KEYS[8], rules, tonumber(ARGV[3]), ARGV[9])
return {'deleted', tonumber(version)}
