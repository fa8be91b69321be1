
-- Keep the head of a record, whose parts are there already.
-- KEYS: as above, then the index of its kind, its sizes, its counter, and the record. ARGV: as above, then the id, the
-- head, the bytes of all, the seconds it is kept, and the owner. Returns what `refusal` returns.
local why, bytes = refusal(KEYS[5], tonumber(ARGV[6]))
if why == "" then
  local id, ttl_s = ARGV[4], tonumber(ARGV[7])
  redis.call("HSET", KEYS[8], "head", ARGV[5])
  redis.call("EXPIRE", KEYS[8], ttl_s)
  -- Numbered, so that two of one second keep their order.
  redis.call("ZADD", KEYS[5], redis.call("INCR", KEYS[7]), id)
  redis.call("HSET", KEYS[6], id, ARGV[6])
  begin_usage(ARGV[8], KEYS[8], ARGV[6], tonumber(redis.call("TIME")[1]) + ttl_s)
  redis.call("EXPIRE", KEYS[5], ttl_s)
  redis.call("EXPIRE", KEYS[6], ttl_s)
  redis.call("EXPIRE", KEYS[7], 2 * ttl_s)
end
return {why, bytes}
