-- Replace a leased chunk by its two halves, each with `attempts` already behind it.
-- KEYS: turns, open jobs, webhooks, turn counter
-- ARGV: job prefix, job, first row, token, first half, first row of the second half, second half, attempts
local base = ARGV[1] .. ARGV[2]
local raw_lease = redis.call('HGET', base .. ':leases', ARGV[3])
if not raw_lease or cjson.decode(raw_lease).token ~= tonumber(ARGV[4]) then
  return 0
end
redis.call('HDEL', base .. ':leases', ARGV[3])
if redis.call('HGET', base, 'status') ~= 'in_progress' then
  return 1
end
local change = #ARGV[5] + #ARGV[7] + CHUNK_BYTES - redis.call('HSTRLEN', base .. ':input', ARGV[3])
redis.call('HSET', base .. ':input', ARGV[3], ARGV[5], ARGV[6], ARGV[7])
change_bytes(base, change, change)
redis.call('HSET', base .. ':attempts', ARGV[3], ARGV[8], ARGV[6], ARGV[8])
redis.call('LPUSH', base .. ':open', ARGV[6], ARGV[3])
redis.call('EXPIREAT', base .. ':open', redis.call('EXPIRETIME', base))
give_turn(KEYS[1], KEYS[4], ARGV[2])
return 1
