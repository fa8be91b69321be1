#!lua flags=no-writes
-- What changed after a version, oldest first.
-- KEYS: records, versions by id, state, versions of withdrawn ids
-- ARGV: version, most records
-- Returns {epoch, forgotten, version reached, {id, version, record, id, version, record, ...}, {withdrawn id, ...}}.
local state = redis.call('HMGET', KEYS[3], 'epoch', 'forgotten', 'version')
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local reached = tonumber(state[3] or 0)
if #found == 2 * tonumber(ARGV[2]) then
  reached = tonumber(found[#found])
end
local changed = {}
for at = 1, #found, 2 do
  table.insert(changed, tonumber(found[at]))
  table.insert(changed, tonumber(found[at + 1]))
  table.insert(changed, redis.call('HGET', KEYS[1], found[at]))
end
local withdrawn = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. ARGV[1], reached)
return {state[1] or '', tonumber(state[2] or 0), reached, changed, withdrawn}
