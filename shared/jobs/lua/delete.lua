-- Remove every trace of a job.
-- KEYS: turns, open jobs, webhooks, owner's jobs. ARGV: job prefix, job. Returns whether there was one.
local base = ARGV[1] .. ARGV[2]
local existed = redis.call('EXISTS', base)
local idempotency, owner = unpack(redis.call('HMGET', base, 'idempotency', 'owner'))
if idempotency then
  redis.call('UNLINK', idempotency)
end
for _, suffix in ipairs(SUFFIXES) do
  redis.call('UNLINK', base .. suffix)
end
redis.call('ZREM', UPLOADS, ARGV[2])
if owner then
  end_usage(owner, base)
end
for index = 1, 4 do
  redis.call('ZREM', KEYS[index], ARGV[2])
end
return existed
