-- Count what somebody has stored. KEYS: none. ARGV: owner, key, bytes, when it expires in Unix seconds
begin_usage(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
