-- Goes before the scripts that change policies: keeps the versions of one policy, so that each can be shown and restored.
-- `kept` is the hash of heads by version, `kept_rules` the hash of their rules.
local function keep_version(kept, kept_rules, version, created_at, digest, head, rules)
  redis.call('HSET', kept, version, string.format('%s %d %s %s', version, created_at, digest, head))
  redis.call('HSET', kept_rules, version, rules)
  redis.call('PERSIST', kept)
  redis.call('PERSIST', kept_rules)
end

-- A version that an earlier program stored, which kept none, while its rules are still there.
local function keep_unkept(kept, kept_rules, found, rules_key)
  local version, created_at, digest, head = found:match('^(%d+) (%d+) (%x+) (.*)$')
  local rules = redis.call('HGET', rules_key, 'rules')
  if rules and redis.call('HEXISTS', kept, version) == 0 then
    keep_version(kept, kept_rules, version, created_at, digest, head, rules)
  end
end

-- Drops the oldest versions until there are `most`, of `most_bytes` together; the newest stays.
local function drop_oldest(kept, kept_rules, most, most_bytes)
  local versions = redis.call('HKEYS', kept)
  table.sort(versions, function(a, b) return tonumber(a) < tonumber(b) end)
  local bytes = 0
  for _, version in ipairs(versions) do bytes = bytes + redis.call('HSTRLEN', kept_rules, version) end
  for place = 1, #versions - 1 do
    if #versions - place + 1 <= most and bytes <= most_bytes then break end
    bytes = bytes - redis.call('HSTRLEN', kept_rules, versions[place])
    redis.call('HDEL', kept, versions[place])
    redis.call('HDEL', kept_rules, versions[place])
  end
end

-- Forgets the versions of the policies that were deleted first, until those of `most` policies of `most_bytes` are left.
-- Names that stand for a policy again are none of them; the one that was deleted last stays.
local function drop_deleted(heads, deleted, prefix, most, most_bytes)
  local count, bytes = 0, 0
  for _, name in ipairs(redis.call('ZREVRANGE', deleted, 0, -1)) do
    local kept_rules = prefix .. name .. ':rules'
    if redis.call('HEXISTS', heads, name) == 1 then
      redis.call('ZREM', deleted, name)
    else
      count = count + 1
      for _, version in ipairs(redis.call('HKEYS', kept_rules)) do
        bytes = bytes + redis.call('HSTRLEN', kept_rules, version)
      end
      if count > 1 and (count > most or bytes > most_bytes) then
        redis.call('UNLINK', prefix .. name, kept_rules)
        redis.call('ZREM', deleted, name)
      end
    end
  end
end
