-- begin: whoever is invoked for a record becomes its holder, if nobody holds it.
-- KEYS: meta, record, look.  ARGV: token, lease (ms), record id, 1 if the environment is cold.
-- Reply: status, or {OK, begins, now (ms), generation, deadline (ms), parallelism, json, first tasks, ring, fields of the record,
--     runtime, policy}
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'deadline', 'parallelism', 'json', 'firsts', 'ring', 'runtime',
  'policy')
if meta[1] ~= 'running' then return {'STOP'} end
local held = redis.call('HMGET', KEYS[2], 'entries', 'holder', 'until', 'begins')
if not held[1] then return {'GONE'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if held[2] and held[2] ~= ARGV[1] and tonumber(held[3]) > now then return {'BUSY'} end
local ring = redis.call('GET', 'w:ring:' .. meta[7])
if not ring then return {'STOP'} end
local begins = tonumber(held[4])
if held[2] ~= ARGV[1] then
  begins = redis.call('HINCRBY', KEYS[2], 'begins', 1)
  redis.call('HSET', KEYS[2], 'invokes', 1)
  redis.call('HDEL', KEYS[2], 'current', 'memory', 'limit', 'told')
  redis.call('HINCRBY', KEYS[1], 'executors', 1)
  if ARGV[4] == '1' then redis.call('HINCRBY', KEYS[1], 'cold_starts', 1) end
end
redis.call('HSET', KEYS[2], 'holder', ARGV[1], 'until', now + ARGV[2])
redis.call('ZADD', KEYS[3], now + ARGV[2], ARGV[3])
return {'OK', begins, now, meta[2], meta[3], meta[4], meta[5], meta[6], ring, redis.call('HGETALL', KEYS[2]),
  meta[8] or '', meta[9]}
