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
