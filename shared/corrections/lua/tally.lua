-- Goes before the scripts that add or withdraw corrections: counts those of each key and their bytes, in a hash with
-- "count:KEY" and "bytes:KEY", and the sums of all in "count" and "bytes".
local function add_to_tally(tally, field, change)
  if redis.call('HINCRBY', tally, field, change) <= 0 then redis.call('HDEL', tally, field) end
end

local function tally_record(tally, key_id, count, bytes)
  add_to_tally(tally, 'count', count)
  add_to_tally(tally, 'bytes', bytes)
  add_to_tally(tally, 'count:' .. key_id, count)
  add_to_tally(tally, 'bytes:' .. key_id, bytes)
end

local function key_of(record)
  local key_id = cjson.decode(record).created_by
  return type(key_id) == 'string' and key_id or ''
end

-- Of corrections that an earlier version stored, which counted none. `bytes` is what all have by the state.
local function tally_untallied(tally, records, bytes)
  local sums = redis.call('HMGET', tally, 'count', 'bytes')
  if tonumber(sums[1] or 0) == redis.call('HLEN', records) and tonumber(sums[2] or 0) == bytes then return end
  redis.call('DEL', tally)
  for _, record in ipairs(redis.call('HVALS', records)) do
    tally_record(tally, key_of(record), 1, #record)
  end
end

local function tally_of(tally, key_id)
  local found = redis.call('HMGET', tally, 'count:' .. key_id, 'bytes:' .. key_id)
  return tonumber(found[1] or 0), tonumber(found[2] or 0)
end
