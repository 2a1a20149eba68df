-- fail: a task raised, the job ends.
-- KEYS: meta, record, events.  ARGV: token, generation, failure (JSON).  Reply: status.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'expire_at')
if meta[1] ~= 'running' then return 'STOP' end
local held = redis.call('HMGET', KEYS[2], 'entries', 'holder')
if not held[1] then return 'GONE' end
if meta[2] ~= ARGV[2] or held[2] ~= ARGV[1] then return 'STALE' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[3], 'ended', now)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'kind', 'state', 'text', 'failed')
redis.call('EXPIREAT', KEYS[3], meta[3])
redis.call('PUBLISH', KEYS[3], 'state')
return 'OK'
