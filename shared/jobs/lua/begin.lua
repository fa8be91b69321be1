-- Reserve an id for an upload, of which nobody hears before it is committed.
-- KEYS: none. ARGV: job prefix, job, owner, Unix seconds by the caller's clock, seconds until it is given up
local base = ARGV[1] .. ARGV[2]
local now_s = math.floor(now_ms() / 1000)
redis.call('HSET', base, 'status', 'validating', 'owner', ARGV[3], 'created_at', ARGV[4])
redis.call('EXPIRE', base, ARGV[5])
begin_usage(ARGV[3], base, JOB_BYTES, now_s + ARGV[5])
-- Those whose process ended in the middle of them.
redis.call('ZREMRANGEBYSCORE', UPLOADS, '-inf', now_s - ARGV[5])
redis.call('ZADD', UPLOADS, now_s, ARGV[2])
redis.call('EXPIRE', UPLOADS, ARGV[5])
