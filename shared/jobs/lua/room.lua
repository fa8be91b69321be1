-- Say whether an owner may open another job.
-- KEYS: open jobs. ARGV: job prefix, owner, then as `open_job_room` takes them. Returns what that returns.
return open_job_room(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
