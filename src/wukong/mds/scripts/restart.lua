-- restart: a job that stalled starts again from its first records, in a generation of its own.
-- KEYS: meta, look, first.  ARGV: prefix, the generation that stalled, first look (ms).
-- Reply: nothing if its first records are lost, else {id...} of those created: none if it is not stalled any more.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'left', 'expire_at')
if meta[1] ~= 'running' or meta[2] ~= ARGV[2] or meta[3] == '0' or redis.call('ZCARD', KEYS[2]) > 0 then return {} end
local first = redis.call('HGETALL', KEYS[3])
if #first == 0 then return false end
local time = redis.call('TIME')
local look = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
local created = {}
for i = 1, #first, 2 do
  local record = ARGV[1] .. ':r:' .. first[i]
  redis.call('DEL', record)
  redis.call('HSET', record, 'entries', first[i + 1], 'inputs', '', 'depth', 0, 'begins', 0, 'invokes', 1)
  redis.call('EXPIREAT', record, meta[4])
  redis.call('ZADD', KEYS[2], look, first[i])
  created[#created + 1] = first[i]
end
redis.call('EXPIREAT', KEYS[2], meta[4])
redis.call('HINCRBY', KEYS[1], 'gen', 1)
redis.call('HINCRBY', KEYS[1], 'invocations', #created)
return created
