-- heal: tell where a lost value is that was computed again.
-- KEYS: meta, look, record, healed, values.  ARGV: record id, token, generation, lease (ms), task, mark, job.  Reply: status.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'expire_at')
if meta[1] ~= 'running' then return 'STOP' end
local held = redis.call('HMGET', KEYS[3], 'entries', 'holder')
if not held[1] then return 'GONE' end
if meta[2] ~= ARGV[3] or held[2] ~= ARGV[2] then return 'STALE' end
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
redis.call('HSET', KEYS[3], 'until', till)
redis.call('ZADD', KEYS[2], till, ARGV[1])
redis.call('HSET', KEYS[4], ARGV[5], 'M' .. ARGV[6])
redis.call('EXPIREAT', KEYS[4], meta[3])
named(ARGV[6], ARGV[7], KEYS[1], KEYS[5], KEYS[3], meta[3])
return 'OK'
