-- drop_input: a job lets go of an uploaded input. Where nobody holds it now it is forgotten, but for the owners of its
-- copies: they take its place among the job's inputs until the copies are purged.
-- KEYS: input, the job's inputs.  ARGV: job, hash.
-- Reply: the owners of all its copies, each with a space behind it, or nothing if it is held.
local owners = false
-- Without its holders, the mark and the owners are left.
if redis.call('HDEL', KEYS[1], 'h:' .. ARGV[1]) == 1 and redis.call('HLEN', KEYS[1]) <= 2 then
  owners = redis.call('HGET', KEYS[1], 'owners')
  redis.call('UNLINK', KEYS[1])
end
-- A set that is gone already is not made anew: it would never expire. Nor may it be empty for a moment.
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then
  for owner in string.gmatch(owners or '', '%S+') do redis.call('SADD', KEYS[2], owner) end
  redis.call('SREM', KEYS[2], ARGV[2])
end
return owners
