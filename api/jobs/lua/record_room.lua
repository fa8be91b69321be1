
-- The first keys are two for each kind of record, its index and the sizes of its records; ARGV[1] is the prefix of the
-- records of each kind, apart by blanks, ARGV[2] and ARGV[3] are how many bytes and records an owner may have.

-- The bytes of an owner's records, and the number of those of the kind whose index is `counted`.
local function taken(counted)
  local bytes = 0
  for kind = 1, 2 do
    for _, size in ipairs(redis.call("HVALS", KEYS[2 * kind])) do
      bytes = bytes + tonumber(size)
    end
  end
  return bytes, redis.call("ZCARD", counted)
end

-- Forget the records that have expired.
local function forget_expired()
  local kind = 1
  for prefix in string.gmatch(ARGV[1], "%S+") do
    for _, id in ipairs(redis.call("ZRANGE", KEYS[2 * kind - 1], 0, -1)) do
      if redis.call("EXISTS", prefix .. id) == 0 then
        redis.call("ZREM", KEYS[2 * kind - 1], id)
        redis.call("HDEL", KEYS[2 * kind], id)
      end
    end
    kind = kind + 1
  end
end

-- Why an owner may have no record of `size` bytes more in the index `counted`: "bytes" or "count", and how many bytes
-- there would be; "" if it may.
local function refusal(counted, size)
  for attempt = 1, 2 do
    local bytes, count = taken(counted)
    local is_over, is_many = bytes + size > tonumber(ARGV[2]), count >= tonumber(ARGV[3])
    if not (is_over or is_many) then
      return "", bytes
    end
    if attempt == 2 then
      return is_many and "count" or "bytes", bytes + size
    end
    forget_expired()
  end
end
