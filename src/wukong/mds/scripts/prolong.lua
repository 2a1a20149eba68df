-- prolong: let the keys of a job that is done live longer, since somebody still needs its results.
-- KEYS: meta, sinks, events, targets, the job's inputs, slowest.  ARGV: prefix, ms from now.  Reply: 1 if they live longer now.
local meta = redis.call('HMGET', KEYS[1], 'state', 'pages', 'expire_at')
if meta[1] ~= 'done' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expire_at = math.ceil((now + ARGV[2]) / 1000)
if tonumber(meta[3]) >= expire_at then return 0 end
redis.call('HSET', KEYS[1], 'expire_at', expire_at)
for i = 1, #KEYS do redis.call('EXPIREAT', KEYS[i], expire_at, 'GT') end
for i = 0, tonumber(meta[2]) - 1 do redis.call('EXPIREAT', ARGV[1] .. ':p:' .. i, expire_at) end
return 1
