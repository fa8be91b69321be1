-- Withdraw a correction. Workers learn of it from the list of withdrawn ids; one that is further behind than this list
-- reaches reads everything again.
-- KEYS: records, ids by text, versions by id, state, versions of withdrawn ids, tally
-- ARGV: id, digest of its text and policy, withdrawn ids kept
-- Returns 1, or 0 where there is no such correction.
local record = redis.call('HGET', KEYS[1], ARGV[1])
if not record then
  return 0
end
tally_untallied(KEYS[6], KEYS[1], tonumber(redis.call('HGET', KEYS[4], 'bytes') or 0))
tally_record(KEYS[6], key_of(record), -1, -#record)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
if redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[1] then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
redis.call('HINCRBY', KEYS[4], 'bytes', -#record)
redis.call('ZADD', KEYS[5], redis.call('HINCRBY', KEYS[4], 'version', 1), ARGV[1])
local excess = redis.call('ZCARD', KEYS[5]) - tonumber(ARGV[3])
if excess > 0 then
  local forgotten = redis.call('ZRANGE', KEYS[5], excess - 1, excess - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[5], 0, excess - 1)
  redis.call('HSET', KEYS[4], 'forgotten', forgotten[2])
end
return 1
