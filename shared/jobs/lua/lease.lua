-- Take the next open chunk of the job whose turn it is.
-- KEYS: turns, open jobs, webhooks, turn counter
-- ARGV: job prefix, worker, lease in ms
-- Returns {job, first row, attempt, token, input, spec} or nothing.
for _ = 1, 1000 do
  local job = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not job then
    return false
  end
  local base = ARGV[1] .. job
  local first_row = redis.call('LPOP', base .. ':open')
  if not first_row then
    redis.call('ZREM', KEYS[1], job)
  else
    local input = redis.call('HGET', base .. ':input', first_row)
    if input then
      put_last(KEYS[1], KEYS[4], job)
      local token = redis.call('HINCRBY', base, 'token', 1)
      local attempt = redis.call('HINCRBY', base .. ':attempts', first_row, 1)
      local lease = {token = token, worker = ARGV[2], taken = now_ms()}
      redis.call('HSET', base .. ':leases', first_row, hold(lease, ARGV[3]))
      local gone_at = redis.call('EXPIRETIME', base)
      redis.call('EXPIREAT', base .. ':attempts', gone_at)
      redis.call('EXPIREAT', base .. ':leases', gone_at)
      return {job, first_row, attempt, token, input, redis.call('HGET', base, 'spec')}
    end
  end
end
return false
