-- Make an uploaded job real, at once and whole.
-- KEYS: turns, open jobs, webhooks, turn counter, owner's jobs, idempotency key ('' for none)
-- ARGV: job prefix, job, fields as JSON, most open jobs, seconds that it may live, seconds that an index lives,
--   most open jobs of the owner (0: no limit), 1 if owners share what is left
-- Returns {'ok', job}, {'same', other job}, {'full'}, {'quota'}, {'share'} or {'gone'}.
local base = ARGV[1] .. ARGV[2]
if redis.call('HGET', base, 'status') ~= 'validating' then
  return {'gone'}
end
if KEYS[6] ~= '' then
  local same = redis.call('GET', KEYS[6])
  if same and redis.call('EXISTS', ARGV[1] .. same) == 1 then
    return {'same', same}
  end
end
local room = open_job_room(KEYS[2], ARGV[1], redis.call('HGET', base, 'owner'), ARGV[4], ARGV[7], ARGV[8])
if room ~= 'ok' then
  return {room}
end
local now_s = math.floor(now_ms() / 1000)
for field, value in pairs(cjson.decode(ARGV[3])) do
  redis.call('HSET', base, field, value)
end
redis.call('HSET', base, 'status', 'in_progress', 'in_progress_at', now_s, 'deadline_at', now_s + ARGV[5],
  'expires_at', now_s + ARGV[5])
change_bytes(base, 0, #ARGV[3])
expire_job_at(base, now_s + ARGV[6])
move_end(base, now_s + ARGV[6])
redis.call('ZREM', UPLOADS, ARGV[2])
give_turn(KEYS[1], KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[2], now_s, ARGV[2])
redis.call('ZADD', KEYS[5], redis.call('HGET', base, 'created_at'), ARGV[2])
if KEYS[6] ~= '' then
  redis.call('SET', KEYS[6], ARGV[2], 'EX', ARGV[6])
  redis.call('HSET', base, 'idempotency', KEYS[6])
end
for index = 1, 5 do
  redis.call('EXPIRE', KEYS[index], ARGV[6])
end
return {'ok', ARGV[2]}
