-- drop_input: a job lets go of an uploaded input. Reply: 1 if nobody holds it now (and it is forgotten), else 0.
-- KEYS: input.  ARGV: job.
if redis.call('HDEL', KEYS[1], 'h:' .. ARGV[1]) == 0 then return 0 end
if redis.call('HLEN', KEYS[1]) > 1 then return 0 end
redis.call('UNLINK', KEYS[1])
return 1
