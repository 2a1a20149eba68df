-- lost: the platform says that an invocation for a record came to nothing. A new holder may begin at once, if it was the
-- holder's, or if there is none and none was expected (an empty mark).
-- KEYS: meta, record, look.  ARGV: record id, the mark with which the holder's token begins, why, 1 to look at once.
-- Reply: 1 if the next sweep looks at the record.
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
local held = redis.call('HMGET', KEYS[2], 'entries', 'holder', 'begins')
if not held[1] then return 0 end
local mine = not held[2] and ARGV[2] == ''
if held[2] then
  mine = ARGV[2] ~= '' and string.sub(held[2], 1, #ARGV[2]) == ARGV[2]
  if not mine then return 0 end
end
redis.call('HSET', KEYS[2], 'why', held[3] .. ':' .. ARGV[3])
-- Who gave up by itself was not ended by a task.
if held[2] and ARGV[4] ~= '1' then redis.call('HDEL', KEYS[2], 'current') end
if not mine or ARGV[4] ~= '1' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[2], 'until', now)
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
