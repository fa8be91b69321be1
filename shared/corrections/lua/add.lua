#!lua
-- Add corrections, or replace those of the same text and policy, each within the limits.
-- KEYS: records, ids by text, versions by id, state
-- ARGV: most corrections, most bytes, an epoch for an empty store, then for each: digest of text and policy, record
-- Returns for each {id, version, 1 if new}, or the name of the limit that it does not fit into.
local records, by_text, versions, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local count = redis.call('HLEN', records)
local bytes = tonumber(redis.call('HGET', state, 'bytes') or 0)
redis.call('HSETNX', state, 'epoch', ARGV[3])
local replies = {}
for at = 4, #ARGV, 2 do
  local id = redis.call('HGET', by_text, ARGV[at])
  local grown = #ARGV[at + 1] - (id and redis.call('HSTRLEN', records, id) or 0)
  if not id and count >= tonumber(ARGV[1]) then
    table.insert(replies, 'count')
  elseif grown > 0 and bytes + grown > tonumber(ARGV[2]) then
    table.insert(replies, 'bytes')
  else
    local is_new = 0
    if not id then
      id = tostring(redis.call('HINCRBY', state, 'last_id', 1))
      redis.call('HSET', by_text, ARGV[at], id)
      count = count + 1
      is_new = 1
    end
    bytes = bytes + grown
    local version = redis.call('HINCRBY', state, 'version', 1)
    redis.call('HSET', records, id, ARGV[at + 1])
    redis.call('ZADD', versions, version, id)
    table.insert(replies, {tonumber(id), version, is_new})
  end
end
redis.call('HSET', state, 'bytes', bytes)
return replies
