-- place_input: say where an uploaded input is, and hold it for a job. A copy that lives longer stays the known one.
-- KEYS: input, the job's inputs.  ARGV: job, hash, ms, mark, owner of the copy.
if redis.call('HEXISTS', KEYS[1], 'mark') == 0 or redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'mark', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local owners = redis.call('HGET', KEYS[1], 'owners') or ''
if not string.find(owners, ARGV[5] .. ' ', 1, true) then owners = owners .. ARGV[5] .. ' ' end
redis.call('HSET', KEYS[1], 'owners', owners, 'h:' .. ARGV[1], 1)
redis.call('SADD', KEYS[2], ARGV[2])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return 1
