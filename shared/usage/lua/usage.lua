-- What an owner takes in the store: a hash of bytes by key, whose field SUM is their sum, and a sorted set of the same keys
-- by when they expire, so that what has expired is found without a look at the rest.
local SUM = ''

local function change_usage(owner, key, change)
  if redis.call('HEXISTS', USAGE .. owner, key) == 0 then
    return false
  end
  redis.call('HINCRBY', USAGE .. owner, key, change)
  redis.call('HINCRBY', USAGE .. owner, SUM, change)
  return true
end

-- Both sets last as long as what expires last.
local function usage_ends_at(owner, key, unix_s)
  redis.call('ZADD', USAGE_ENDS .. owner, unix_s, key)
  for _, name in ipairs({USAGE .. owner, USAGE_ENDS .. owner}) do
    redis.call('EXPIREAT', name, unix_s, 'NX')
    redis.call('EXPIREAT', name, unix_s, 'GT')
  end
end

local function end_usage(owner, key)
  local bytes = redis.call('HGET', USAGE .. owner, key)
  if bytes then
    redis.call('HDEL', USAGE .. owner, key)
    redis.call('HINCRBY', USAGE .. owner, SUM, -bytes)
  end
  redis.call('ZREM', USAGE_ENDS .. owner, key)
  if redis.call('EXISTS', USAGE_ENDS .. owner) == 0 then
    redis.call('DEL', USAGE .. owner)
  end
end

local function begin_usage(owner, key, bytes, ends_s)
  if not change_usage(owner, key, bytes) then
    redis.call('HSET', USAGE .. owner, key, bytes)
    redis.call('HINCRBY', USAGE .. owner, SUM, bytes)
  end
  usage_ends_at(owner, key, ends_s)
end

local MOST_LOOKED_AT = 1000

-- Count no more what is gone already. Some go before their time: a version that counts nothing has ended or deleted them.
local function forget_gone(owner, until_s)
  for _, key in ipairs(redis.call('ZRANGE', USAGE_ENDS .. owner, '-inf', until_s, 'BYSCORE', 'LIMIT', 0, MOST_LOOKED_AT)) do
    if redis.call('EXISTS', key) == 0 then
      end_usage(owner, key)
    end
  end
end

local function usage_of(owner)
  return tonumber(redis.call('HGET', USAGE .. owner, SUM) or 0)
end
