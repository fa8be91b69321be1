-- Stop handing out chunks of a job. What is leased may finish.
-- KEYS: turns, open jobs, webhooks. ARGV: job prefix, job, result's life in seconds. Returns {whether this call did it, ended}.
local base = ARGV[1] .. ARGV[2]
local status = redis.call('HGET', base, 'status')
if status ~= 'in_progress' then
  return {0, ended}
end
redis.call('UNLINK', base .. ':open')
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('HSET', base, 'status', 'cancelling', 'cancelling_at', math.floor(now_ms() / 1000))
if redis.call('HLEN', base .. ':leases') == 0 then
  finish(KEYS, base, ARGV[2], 'cancelled', ARGV[3])
end
return {1, ended}
