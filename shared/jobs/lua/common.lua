-- What several scripts do. It is put before each of them, after the line that lets them run in a full store.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- What a job takes besides its chunks, and a chunk besides its rows and verdicts, in bytes of the store's memory.
local JOB_BYTES, CHUNK_BYTES = 2000, 120

-- Count a change of a job's input and of all that it takes. A job that an earlier version began is not counted.
local function change_bytes(base, input_change, change)
  local owner = redis.call('HGET', base, 'owner')
  if owner and change_usage(owner, base, change) then
    redis.call('HINCRBY', base, 'input_bytes', input_change)
  end
end

-- `length` is what a lease is given at a time, in ms: by it the sweeper sees that the clock was set back.
local function hold(lease, length_ms)
  lease.length = tonumber(length_ms)
  lease.ends = now_ms() + lease.length
  return cjson.encode(lease)
end

local SUFFIXES = {'', ':input', ':open', ':leases', ':attempts', ':results', ':pace', ':errors'}

local function expire_job_at(base, unix_s)
  for _, suffix in ipairs(SUFFIXES) do
    redis.call('EXPIREAT', base .. suffix, unix_s)
  end
end

-- Note when all that a job takes is given back.
local function move_end(base, unix_s)
  local owner = redis.call('HGET', base, 'owner')
  if owner and redis.call('HEXISTS', USAGE .. owner, base) == 1 then
    usage_ends_at(owner, base, unix_s)
  end
end

-- The round of turns is rebuilt by the sweeper should it ever vanish, so any long life will do.
local ROUND_LIFE_S = 30 * 24 * 3600

local function put_last(turns, counter, job)
  redis.call('ZADD', turns, redis.call('INCR', counter), job)
  redis.call('EXPIRE', turns, ROUND_LIFE_S)
  redis.call('EXPIRE', counter, ROUND_LIFE_S)
end

-- A job without open chunks has no turn; one that has some again joins at the end of the round.
local function give_turn(turns, counter, job)
  if not redis.call('ZSCORE', turns, job) then
    put_last(turns, counter, job)
  end
end

-- The jobs that this script ends, for the caller to log: {job, status, rows, completed, failed} each.
local ended = {}

-- keys: turns, open jobs, webhooks. Only results, pace and errors stay, for `ttl_s` more.
local function finish(keys, base, job, status, ttl_s)
  local now_s = math.floor(now_ms() / 1000)
  redis.call('HSET', base, 'status', status, 'finalizing_at', now_s, status .. '_at', now_s, 'expires_at', now_s + ttl_s)
  redis.call('ZREM', keys[1], job)
  redis.call('ZREM', keys[2], job)
  redis.call('UNLINK', base .. ':input', base .. ':open', base .. ':leases', base .. ':attempts')
  expire_job_at(base, now_s + ttl_s)
  local input_bytes = -(redis.call('HGET', base, 'input_bytes') or 0)
  change_bytes(base, input_bytes, input_bytes)
  move_end(base, now_s + ttl_s)
  if redis.call('HGET', base, 'webhook') then
    redis.call('ZADD', keys[3], now_s, job)
    redis.call('EXPIRE', keys[3], ROUND_LIFE_S)
  end
  local counts = redis.call('HMGET', base, 'total', 'completed', 'failed')
  table.insert(ended, {job, status, counts[1] or '0', counts[2] or '0', counts[3] or '0'})
end

-- Whether an owner may open another job: 'ok', 'full' if all together have `most`, 'quota' if the owner has its `own_most`
-- (0: no limit), 'share' if owners share (1) and this one would have more than are left to others. That rule (Choudhury
-- and Hahne, "Dynamic queue length thresholds", 1998) leaves room for a newcomer however many jobs the others send.
local function open_job_room(open, prefix, owner, most, own_most, is_shared)
  local jobs = redis.call('ZRANGE', open, 0, -1)
  local left = tonumber(most) - #jobs
  if left <= 0 then
    return 'full'
  end
  if own_most == '0' and is_shared == '0' then
    return 'ok'
  end
  local own = 0
  for _, job in ipairs(jobs) do
    if redis.call('HGET', prefix .. job, 'owner') == owner then
      own = own + 1
    end
  end
  if own_most ~= '0' and own >= tonumber(own_most) then
    return 'quota'
  end
  if is_shared == '1' and own >= left then
    return 'share'
  end
  return 'ok'
end
