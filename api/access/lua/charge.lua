#!lua flags=allow-oom
-- Charge a key for several kinds of use at once, or for none of them.
-- Each kind is a token bucket, kept as the moment at which it is full again (GCRA, ITU-T I.371): one number, which
-- expires when it has passed.
-- KEYS: one for each kind. ARGV, for each kind: units to charge, units a period allows, the period in ms
-- Returns milliseconds to wait, 0 if the key was charged, and the number of the kind that has to wait (from 1).
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local full_at = {}
local wait, kind = 0, 0
for index, key in ipairs(KEYS) do
  local units, limit, period = tonumber(ARGV[3 * index - 2]), tonumber(ARGV[3 * index - 1]), tonumber(ARGV[3 * index])
  -- No later than a period from now: after a clock was set back, or a limit was lowered.
  local was = math.min(math.max(tonumber(redis.call('GET', key) or 0), now), now + period)
  full_at[index] = was + units * period / limit
  if full_at[index] - now - period > wait then
    wait, kind = full_at[index] - now - period, index
  end
end
if wait > 0 then
  return {math.ceil(wait), kind}
end
for index, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.3f', full_at[index]), 'PX', math.max(1, math.ceil(full_at[index] - now)))
end
return {0, 0}
