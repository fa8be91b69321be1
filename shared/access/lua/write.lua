#!lua flags=allow-oom
-- Store changed API keys and a line each in the audit log, unless keys were changed since they were read.
-- It must run in a full store: a key can always be revoked.
-- KEYS: keys, generation, audit log
-- ARGV: generation read ('' for none), ids to forget and {id, record, target} to store as JSON, actor, action,
--   most entries of the audit log, seconds that it lives
-- Returns 1, or 0 if nothing was changed because the keys have to be read again.
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then
  return 0
end
for _, id in ipairs(cjson.decode(ARGV[2])) do
  redis.call('HDEL', KEYS[1], id)
end
for _, change in ipairs(cjson.decode(ARGV[3])) do
  redis.call('HSET', KEYS[1], change[1], change[2])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'actor', ARGV[4], 'action', ARGV[5], 'target', change[3])
end
redis.call('EXPIRE', KEYS[3], ARGV[7])
redis.call('INCR', KEYS[2])
return 1
