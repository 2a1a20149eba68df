-- close: end a job that is loading or running.
-- KEYS: meta, events.  ARGV: new state, failure (JSON or empty).  Reply: the state after the call.
local meta = redis.call('HMGET', KEYS[1], 'state', 'expire_at')
local state = meta[1]
if state ~= 'loading' and state ~= 'running' then return state or 'gone' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'ended', now)
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'error', ARGV[2]) end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 10000, '*', 'kind', 'state', 'text', ARGV[1])
redis.call('EXPIREAT', KEYS[2], meta[2])
redis.call('PUBLISH', KEYS[2], 'state')
return ARGV[1]
