-- Add corrections of one key, or replace those of the same text and policy, each within the limits.
-- KEYS: records, ids by text, versions by id, state, tally
-- ARGV: most corrections, most bytes, an epoch for an empty store, id of the key, 1 if keys share what there may be, then for
--       each: digest of text and policy, record
-- Returns for each {id, version, 1 if new}, or the name of the limit that it does not fit into: count and bytes of all,
-- own_count and own_bytes where the key would have more than it leaves to others.
local records, by_text, versions, state, tally = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local most, most_bytes, key_id, is_shared = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4], ARGV[5] == '1'
local count = redis.call('HLEN', records)
local bytes = tonumber(redis.call('HGET', state, 'bytes') or 0)
redis.call('HSETNX', state, 'epoch', ARGV[3])
tally_untallied(tally, records, bytes)

-- A key without any may always add one: it is not kept out by those that have many.
local function excess(is_new, grown)
  if is_new and count >= most then return 'count' end
  if grown > 0 and bytes + grown > most_bytes then return 'bytes' end
  local own, own_bytes = tally_of(tally, key_id)
  if is_shared and is_new and own > 0 and own >= most - count then return 'own_count' end
  if is_shared and grown > 0 and own > 0 and own_bytes + grown > most_bytes - bytes - grown then return 'own_bytes' end
  return nil
end

local replies = {}
for at = 6, #ARGV, 2 do
  local id = redis.call('HGET', by_text, ARGV[at])
  local old = id and redis.call('HGET', records, id) or ''
  local grown = #ARGV[at + 1] - #old
  local limit = excess(not id, grown)
  if limit then
    table.insert(replies, limit)
  else
    local is_new = id and 0 or 1
    if id then
      tally_record(tally, key_of(old), -1, -#old)
    else
      id = tostring(redis.call('HINCRBY', state, 'last_id', 1))
      redis.call('HSET', by_text, ARGV[at], id)
      count = count + 1
    end
    tally_record(tally, key_id, 1, #ARGV[at + 1])
    bytes = bytes + grown
    local version = redis.call('HINCRBY', state, 'version', 1)
    redis.call('HSET', records, id, ARGV[at + 1])
    redis.call('ZADD', versions, version, id)
    table.insert(replies, {tonumber(id), version, is_new})
  end
end
redis.call('HSET', state, 'bytes', bytes)
return replies
