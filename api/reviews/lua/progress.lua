-- How many decisions of each kind there are: approved, rejected, of the day, and by reviewer (names and counts in turns).
-- KEYS: tally, names, decisions. ARGV: the day, in days since 1970.
count_uncounted(KEYS[1], KEYS[2], KEYS[3])
local found = redis.call('HMGET', KEYS[1], 'approve', 'reject', 'day:' .. ARGV[1])
return {tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or 0), redis.call('HGETALL', KEYS[2])}
