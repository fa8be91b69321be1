-- Takes a decision back; the item is then held by the reviewer who had decided it. Returns the decision, or nothing.
-- KEYS: leases, holders, decisions, tally, names
-- ARGV: number, when the new lease ends, reviewer
local decision = redis.call('HGET', KEYS[3], ARGV[1])
if not decision or cjson.decode(decision).reviewer ~= ARGV[3] then return false end
redis.call('HDEL', KEYS[3], ARGV[1])
count(KEYS[4], KEYS[5], decision, -1)
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return decision
