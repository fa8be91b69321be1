
-- Say whether an owner may have another record of one byte at least.
-- KEYS: as above, then the index of its kind. ARGV: as above. Returns what `refusal` returns.
local why, bytes = refusal(KEYS[5], 1)
return {why, bytes}
