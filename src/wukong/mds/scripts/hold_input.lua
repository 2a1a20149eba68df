-- hold_input: hold an uploaded input for a job, if it is known and lives long enough.
-- KEYS: input, the job's inputs.  ARGV: job, hash, ms.  Reply: its mark, or nothing.
local mark = redis.call('HGET', KEYS[1], 'mark')
if not mark or redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then return false end
redis.call('HSET', KEYS[1], 'h:' .. ARGV[1], 1)
redis.call('SADD', KEYS[2], ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return mark
