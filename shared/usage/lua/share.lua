-- Say what an owner takes, and whether that is less than is free.
-- KEYS: none. ARGV: owner, bytes that are still to come for it, bytes that are free, key of the upload in hand ('' for none),
--       id of the owner's key
-- Returns {bytes, seconds until enough has expired}: 0 if the owner may go on, -1 if too much would be left.
local owner, to_come, free, in_hand = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local now_s = tonumber(redis.call('TIME')[1])
local kept_bytes = kept_by(ARGV[5])

local function bytes_now()
  return usage_of(owner) + to_come + kept_bytes
end

-- With nothing of its own an owner may always begin: it is not kept out by those who fill the store.
local function may_go_on(bytes)
  return bytes == 0 or bytes < free
end

forget_gone(owner, now_s)
if may_go_on(bytes_now()) then
  return {bytes_now(), 0}
end
forget_gone(owner, '+inf')
local bytes = bytes_now()
if may_go_on(bytes) then
  return {bytes, 0}
end
local left, wait_s = bytes, -1
local ends = redis.call('ZRANGE', USAGE_ENDS .. owner, 0, MOST_LOOKED_AT - 1, 'WITHSCORES')
for index = 1, #ends, 2 do
  if ends[index] ~= in_hand then
    local freed = tonumber(redis.call('HGET', USAGE .. owner, ends[index]) or 0)
    left, free = left - freed, free + freed
    if may_go_on(left) then
      wait_s = math.max(1, tonumber(ends[index + 1]) - now_s)
      break
    end
  end
end
return {bytes, wait_s}
