-- Remove every trace of a job.
-- KEYS: turns, open jobs, webhooks, owner's jobs. ARGV: job prefix, job. Returns whether there was one.
local base = ARGV[1] .. ARGV[2]
local existed = redis.call('EXISTS', base)
local idempotency = redis.call('HGET', base, 'idempotency')
if idempotency then
  redis.call('UNLINK', idempotency)
end
for _, suffix in ipairs(SUFFIXES) do
  redis.call('UNLINK', base .. suffix)
end
for index = 1, 4 do
  redis.call('ZREM', KEYS[index], ARGV[2])
end
return existed
