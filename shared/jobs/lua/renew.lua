-- Keep a lease. KEYS: none. ARGV: job prefix, job, first row, token, lease in ms. Returns whether it is still held.
local leases = ARGV[1] .. ARGV[2] .. ':leases'
local raw_lease = redis.call('HGET', leases, ARGV[3])
if not raw_lease then
  return 0
end
local lease = cjson.decode(raw_lease)
if lease.token ~= tonumber(ARGV[4]) then
  return 0
end
redis.call('HSET', leases, ARGV[3], hold(lease, ARGV[5]))
return 1
