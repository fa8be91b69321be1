-- Take the job whose webhook is due, and let nobody else take it for a while.
-- KEYS: turns, open jobs, webhooks. ARGV: seconds until another process may try. Returns the job or nothing.
local now_s = math.floor(now_ms() / 1000)
local job = redis.call('ZRANGE', KEYS[3], '-inf', now_s, 'BYSCORE', 'LIMIT', 0, 1)[1]
if job then
  redis.call('ZADD', KEYS[3], now_s + ARGV[1], job)
end
return job
