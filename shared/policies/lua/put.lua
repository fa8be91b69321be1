-- Stores the rules of a policy as its newest version; older rules are kept for those who began with them.
-- KEYS: heads by name, counter of versions, rules of this version, kept heads, kept rules, rules kept for a while,
--       sizes, and the keys that left those rules.
-- ARGV: name, wanted version ("" any, "0" none yet), digest, head, rules, most policies, seconds that old rules stay,
--       prefix of the policy's rules, most versions kept, most bytes of their rules, most bytes of rules kept for a while,
--       id of the key, most bytes of the policies that it has set, prefix of the versions of all policies,
--       1 if keys share the store, bytes of it that are free ("" for no limit).
-- Returns {outcome, version, created_at, head}: created, replaced, unchanged, changed (the wanted version is not the
-- newest), full, crowd (the key has as many as are left to others), over (version: the bytes that the key's policies would take),
-- share (version: the most that they may take, as others need what is free), busy (version: in how many seconds there may be room for what this change replaces).
local name, wanted, digest, head, rules = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now = tonumber(redis.call('TIME')[1])
local found = redis.call('HGET', KEYS[1], name)
local version, created_at, old_digest, old_head = '0', now, nil, nil
if found then
  version, created_at, old_digest, old_head = found:match('^(%d+) (%d+) (%x+) (.*)$')
end
if wanted ~= '' and wanted ~= version then
  return {'changed', tonumber(version), tonumber(created_at), head}
end
local is_shared, free = ARGV[15], tonumber(ARGV[16])
note_unnoted(KEYS[7], KEYS[1], ARGV[14])
local owner = ARGV[12]
local beside, own, own_count = bytes_of(KEYS[7], owner, name)
local function is_of_file(text)
  return text:find('"source":"file"', 1, true) ~= nil
end
local is_bounded = not is_of_file(head)
if not found then
  local left = tonumber(ARGV[6]) - redis.call('HLEN', KEYS[1])
  if left <= 0 then
    return {'full', 0, 0, head}
  end
  -- A key without any may always have one: it is not kept out by those that have many.
  if is_bounded and is_shared == '1' and own_count > 0 and own_count >= left then
    return {'crowd', own_count, 0, head}
  end
end
if old_digest == digest and is_of_file(head) == is_of_file(old_head) then
  return {'unchanged', tonumber(version), tonumber(created_at), old_head}
end
-- Its rules are kept twice: as those in use, and as the newest version.
local most_own = tonumber(ARGV[13])
if is_bounded and beside + 2 * #rules > most_own then
  return {'over', beside + 2 * #rules, tonumber(created_at), head}
end
-- No more than it leaves free: half of that and its own together. What makes a policy no larger is never refused.
if is_shared == '1' and free and beside + own > 0 then
  local fair = math.max(0, math.floor((free + beside + own) / 2))
  if is_bounded and beside + 2 * #rules > fair and 2 * #rules > own then
    return {'share', fair, tonumber(created_at), head}
  end
  most_own = math.min(most_own, math.max(fair, beside + own))
end
-- Who has the file of policies could also stop the service.
local wait_s = is_of_file(head) and 0 or wait_for_room(KEYS[6], KEYS[8], rules, tonumber(ARGV[11]), owner, is_shared)
if wait_s > 0 then
  return {'busy', wait_s, tonumber(created_at), head}
end
redis.call('HSET', KEYS[3], 'rules', rules)
redis.call('HDEL', KEYS[3], 'tries')
redis.call('PERSIST', KEYS[3])
forget_passing(KEYS[6], KEYS[8], KEYS[3])
if found then keep_unkept(KEYS[4], KEYS[5], found, ARGV[8] .. old_digest) end
version = redis.call('INCR', KEYS[2])
keep_version(KEYS[4], KEYS[5], version, created_at, digest, head, rules)
local most_bytes = tonumber(ARGV[10])
if is_bounded then most_bytes = math.min(most_bytes, most_own - beside - #rules) end
drop_oldest(KEYS[4], KEYS[5], tonumber(ARGV[9]), most_bytes)
note_size(KEYS[7], name, #rules, KEYS[5], owner)
redis.call('HSET', KEYS[1], name, string.format('%d %d %s %s', version, created_at, digest, head))
if old_digest and old_digest ~= digest then
  local old = ARGV[8] .. old_digest
  local pinned_until = tonumber(redis.call('HGET', old, 'pinned_until') or '0')
  redis.call('EXPIRE', old, math.max(tonumber(ARGV[7]), pinned_until - now))
  note_passing(KEYS[6], KEYS[8], old, tonumber(ARGV[7]), owner)
end
return {found and 'replaced' or 'created', version, tonumber(created_at), head}
