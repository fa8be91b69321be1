-- Write one chunk of an upload.
-- KEYS: none. ARGV: job prefix, job, first row, rows, seconds until the upload is given up. Returns whether it still is one.
local base = ARGV[1] .. ARGV[2]
local status, owner = unpack(redis.call('HMGET', base, 'status', 'owner'))
if status ~= 'validating' then
  return 0
end
local now_s = math.floor(now_ms() / 1000)
redis.call('HSET', base .. ':input', ARGV[3], ARGV[4])
redis.call('RPUSH', base .. ':open', ARGV[3])
-- The rows before this chunk: whoever looks counts their results as still to come.
redis.call('HSET', base, 'total', ARGV[3])
local bytes = #ARGV[4] + CHUNK_BYTES
change_bytes(base, bytes, bytes)
for _, suffix in ipairs({'', ':input', ':open'}) do
  redis.call('EXPIRE', base .. suffix, ARGV[5])
end
move_end(base, now_s + ARGV[5])
redis.call('ZADD', UPLOADS, now_s, ARGV[2])
redis.call('EXPIRE', UPLOADS, ARGV[5])
return 1
