-- Keeps one decision, unless the item was decided or another reviewer holds it.
-- KEYS: open, leases, holders, decisions (number -> JSON), tally, names
-- ARGV: number, now, reviewer, the decision as JSON
local number, now, reviewer = ARGV[1], tonumber(ARGV[2]), ARGV[3]
if redis.call('HEXISTS', KEYS[4], number) == 1 then return 'decided' end
local ends = redis.call('ZSCORE', KEYS[2], number)
local holder = redis.call('HGET', KEYS[3], number)
if ends and tonumber(ends) > now and holder ~= reviewer then return 'held' end
redis.call('ZREM', KEYS[1], number)
redis.call('ZREM', KEYS[2], number)
redis.call('HDEL', KEYS[3], number)
redis.call('HSET', KEYS[4], number, ARGV[4])
count(KEYS[5], KEYS[6], ARGV[4], 1)
return 'kept'
