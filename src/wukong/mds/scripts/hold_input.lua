-- hold_input: hold an uploaded input for a job, if it is known and lives long enough.
-- KEYS: input, the job's inputs.  ARGV: job, hash, seconds.  Reply: its mark, or nothing.
local mark = redis.call('HGET', KEYS[1], 'mark')
if not mark or redis.call('TTL', KEYS[1]) < tonumber(ARGV[3]) then return false end
redis.call('HSET', KEYS[1], 'h:' .. ARGV[1], 1)
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return mark
