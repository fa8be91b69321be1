-- Count no more what somebody has removed. KEYS: none. ARGV: owner, key
end_usage(ARGV[1], ARGV[2])
