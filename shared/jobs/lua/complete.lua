-- Store the verdicts of a leased chunk beside its rows and drop the rows as input, in one step.
-- KEYS: turns, open jobs, webhooks
-- ARGV: job prefix, job, first row, token, verdicts, result's life in seconds, counts as JSON, labels as JSON,
--       errors as JSON, most errors kept
-- Returns {1, ended}, or {0, ended} when the lease is not held any more: somebody else has done, or will do, the chunk.
local base = ARGV[1] .. ARGV[2]
local raw_lease = redis.call('HGET', base .. ':leases', ARGV[3])
if not raw_lease or cjson.decode(raw_lease).token ~= tonumber(ARGV[4]) then
  return {0, ended}
end
local input = redis.call('HGET', base .. ':input', ARGV[3])
redis.call('HDEL', base .. ':leases', ARGV[3])
redis.call('HDEL', base .. ':attempts', ARGV[3])
redis.call('HDEL', base .. ':input', ARGV[3])
redis.call('HSET', base .. ':results', ARGV[3], ARGV[5] .. input)
-- The rows stay, now beside the verdicts.
change_bytes(base, -#input - CHUNK_BYTES, #ARGV[5])

local done = 0
for field, count in pairs(cjson.decode(ARGV[7])) do
  redis.call('HINCRBY', base, field, count)
  if field == 'completed' or field == 'failed' then
    done = done + count
  end
end
redis.call('HSETNX', base, 'label_names', ARGV[8])
for _, failure in ipairs(cjson.decode(ARGV[9])) do
  if redis.call('LLEN', base .. ':errors') < tonumber(ARGV[10]) then
    redis.call('RPUSH', base .. ':errors', cjson.encode(failure))
  end
end
redis.call('LPUSH', base .. ':pace', now_ms() .. ':' .. done)
redis.call('LTRIM', base .. ':pace', 0, 63)
expire_job_at(base, redis.call('EXPIRETIME', base))

local counts = redis.call('HMGET', base, 'total', 'completed', 'failed', 'status')
if (tonumber(counts[2]) or 0) + (tonumber(counts[3]) or 0) >= tonumber(counts[1]) then
  finish(KEYS, base, ARGV[2], 'completed', ARGV[6])
elseif counts[4] == 'cancelling' and redis.call('HLEN', base .. ':leases') == 0 then
  finish(KEYS, base, ARGV[2], 'cancelled', ARGV[6])
end
return {1, ended}
