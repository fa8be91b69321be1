-- Goes before the scripts that store or delete a policy: notes what the policies that each key has set take.
-- `sizes` has "BYTES KEY" for each policy: of its rules and its kept versions, and the id of the key that set it last.
local function bytes_kept(kept_rules)
  local bytes = 0
  for _, version in ipairs(redis.call('HKEYS', kept_rules)) do
    bytes = bytes + redis.call('HSTRLEN', kept_rules, version)
  end
  return bytes
end

local function note_size(sizes, name, rules_bytes, kept_rules, owner)
  redis.call('HSET', sizes, name, string.format('%d %s', rules_bytes + bytes_kept(kept_rules), owner))
end

-- Of policies that an earlier program stored, which noted none. `prefix` is that of the versions of all policies.
local function note_unnoted(sizes, heads, prefix)
  if redis.call('HLEN', sizes) >= redis.call('HLEN', heads) then return end
  for _, name in ipairs(redis.call('HKEYS', heads)) do
    if redis.call('HEXISTS', sizes, name) == 0 then
      local version, head = redis.call('HGET', heads, name):match('^(%d+) %d+ %x+ (.*)$')
      local kept_rules = prefix .. name .. ':rules'
      note_size(sizes, name, redis.call('HSTRLEN', kept_rules, version), kept_rules, cjson.decode(head).updated_by)
    end
  end
end

-- What the policies of a key take but for the one of this name, what that one takes if it is the key's, and how many
-- the key has.
local function bytes_of(sizes, owner, name)
  local beside, own, count, found = 0, 0, 0, redis.call('HGETALL', sizes)
  for place = 1, #found, 2 do
    local size, holder = found[place + 1]:match('^(%d+) (.*)$')
    if holder == owner then
      count = count + 1
      if found[place] == name then own = tonumber(size) else beside = beside + tonumber(size) end
    end
  end
  return beside, own, count
end
