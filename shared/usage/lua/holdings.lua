-- Say what an owner has stored now. Results that are still to come are not part of it.
-- KEYS: none. ARGV: owner, id of its key, open jobs, prefix of jobs
-- Returns bytes of jobs, files, review queues and the feed, policies and their bytes, corrections and theirs, open jobs.
local owner = ARGV[1]
forget_gone(owner, tonumber(redis.call('TIME')[1]))
local open = 0
for _, job in ipairs(redis.call('ZRANGE', ARGV[3], 0, -1)) do
  if redis.call('HGET', ARGV[4] .. job, 'owner') == owner then
    open = open + 1
  end
end
local policies, policy_bytes = policies_of(ARGV[2])
local corrections, correction_bytes = corrections_of(ARGV[2])
return {usage_of(owner), policies, policy_bytes, corrections, correction_bytes, open}
