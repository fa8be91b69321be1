-- What a key has stored for good, in policies and corrections, which are counted where they are stored.

-- Returns how many policies the key has set last, and the bytes of their rules with their versions.
local function policies_of(key_id)
  local count, bytes, found = 0, 0, redis.call('HVALS', POLICY_SIZES)
  for _, one in ipairs(found) do
    local size, holder = one:match('^(%d+) (.*)$')
    if holder == key_id then
      count, bytes = count + 1, bytes + tonumber(size)
    end
  end
  return count, bytes
end

-- Returns how many corrections of the key there are, and their bytes.
local function corrections_of(key_id)
  local found = redis.call('HMGET', CORRECTIONS_OF, 'count:' .. key_id, 'bytes:' .. key_id)
  return tonumber(found[1] or 0), tonumber(found[2] or 0)
end

local function kept_by(key_id)
  local _, policy_bytes = policies_of(key_id)
  local _, correction_bytes = corrections_of(key_id)
  return policy_bytes + correction_bytes
end
