-- Put right what died: leases that ran out or whose worker is gone, jobs without a turn, chunks that nobody has.
-- KEYS: turns, open jobs, webhooks, turn counter
-- ARGV: job prefix, worker prefix, age in ms from which a lease needs its worker's heartbeat, result's life in seconds
-- Returns {jobs that have work, ended, opened}; opened is {job, chunks opened again} for each job that has some.
local now = now_ms()
local opened = {}

local function reopen(base, first_row)
  redis.call('HDEL', base .. ':leases', first_row)
  redis.call('LPUSH', base .. ':open', first_row)
end

local function is_dead(lease)
  if now >= lease.ends then
    return true
  end
  return now - lease.taken >= tonumber(ARGV[3]) and redis.call('EXISTS', ARGV[2] .. lease.worker) == 0
end

-- Since the clock was set back a lease would last longer than any is given: from now on it lasts as long as a new one.
local function follow_clock(base, first_row, lease)
  local length = lease.length or lease.ends - lease.taken
  if lease.ends - now > length then
    lease.taken = now
    redis.call('HSET', base .. ':leases', first_row, hold(lease, length))
  end
end

-- Returns how many chunks were opened again.
local function sweep_leases(base, is_cancelling)
  local count = 0
  local leases = redis.call('HGETALL', base .. ':leases')
  for index = 1, #leases, 2 do
    local lease = cjson.decode(leases[index + 1])
    follow_clock(base, leases[index], lease)
    if is_dead(lease) then
      if is_cancelling then
        redis.call('HDEL', base .. ':leases', leases[index])
      else
        reopen(base, leases[index])
        count = count + 1
      end
    end
  end
  return count
end

-- With nothing open and nothing leased, what still is input was lost by somebody: open it again. Returns how many.
local function audit(base)
  local count = 0
  if redis.call('LLEN', base .. ':open') == 0 and redis.call('HLEN', base .. ':leases') == 0 then
    for _, first_row in ipairs(redis.call('HKEYS', base .. ':input')) do
      reopen(base, first_row)
      count = count + 1
    end
  end
  return count
end

local function sweep(job)
  local base = ARGV[1] .. job
  local status = redis.call('HGET', base, 'status')
  if not status then
    redis.call('ZREM', KEYS[1], job)
    redis.call('ZREM', KEYS[2], job)
    return
  end
  if now >= 1000 * tonumber(redis.call('HGET', base, 'deadline_at')) then
    finish(KEYS, base, job, 'expired', ARGV[4])
    return
  end
  local count = sweep_leases(base, status == 'cancelling')
  if status == 'cancelling' then
    if redis.call('HLEN', base .. ':leases') == 0 then
      finish(KEYS, base, job, 'cancelled', ARGV[4])
    end
    return
  end
  count = count + audit(base)
  if count > 0 then
    table.insert(opened, {job, count})
  end
  if redis.call('LLEN', base .. ':open') > 0 then
    redis.call('EXPIREAT', base .. ':open', redis.call('EXPIRETIME', base))
    give_turn(KEYS[1], KEYS[4], job)
  end
end

for _, job in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  sweep(job)
end
return {redis.call('ZCARD', KEYS[1]), ended, opened}
