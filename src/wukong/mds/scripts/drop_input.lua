-- drop_input: a job lets go of an uploaded input. Where nobody holds it now it is forgotten.
-- KEYS: input.  ARGV: job.  Reply: the owners of all its copies, each with a space behind it, or nothing if it is held.
if redis.call('HDEL', KEYS[1], 'h:' .. ARGV[1]) == 0 then return false end
-- What is left is the mark and the owners.
if redis.call('HLEN', KEYS[1]) > 2 then return false end
local owners = redis.call('HGET', KEYS[1], 'owners')
redis.call('UNLINK', KEYS[1])
return owners
