-- lose_input: forget where an uploaded input is, if that is where somebody missed it. Who asks next uploads it again.
-- KEYS: input.  ARGV: mark.
if redis.call('HGET', KEYS[1], 'mark') == ARGV[1] then redis.call('HDEL', KEYS[1], 'mark') end
return 1
