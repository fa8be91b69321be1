-- Give a chunk back untouched: the attempt does not count.
-- KEYS: turns, open jobs, webhooks, turn counter. ARGV: job prefix, job, first row, token, result's life in seconds
-- Returns {1, ended}, or {0, ended} when the lease is not held any more.
local base = ARGV[1] .. ARGV[2]
local raw_lease = redis.call('HGET', base .. ':leases', ARGV[3])
if not raw_lease or cjson.decode(raw_lease).token ~= tonumber(ARGV[4]) then
  return {0, ended}
end
redis.call('HDEL', base .. ':leases', ARGV[3])
redis.call('HINCRBY', base .. ':attempts', ARGV[3], -1)
if redis.call('HGET', base, 'status') == 'cancelling' then
  if redis.call('HLEN', base .. ':leases') == 0 then
    finish(KEYS, base, ARGV[2], 'cancelled', ARGV[5])
  end
  return {1, ended}
end
redis.call('LPUSH', base .. ':open', ARGV[3])
redis.call('EXPIREAT', base .. ':open', redis.call('EXPIRETIME', base))
give_turn(KEYS[1], KEYS[4], ARGV[2])
return {1, ended}
