-- open: loading -> running. The initial records and the new state are one step, and only if all pages are there.
-- KEYS: meta, look, events, first.
-- ARGV: prefix, number of pages written, first look (ms), number of records, then for each: id, entries.
-- Reply: the state after the call.
local meta = redis.call('HMGET', KEYS[1], 'state', 'pages', 'expire_at')
if meta[1] ~= 'loading' then return meta[1] or 'gone' end
if meta[2] ~= ARGV[2] then return 'loading' end
local time = redis.call('TIME')
local look = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
local records = tonumber(ARGV[4])
for i = 5, 3 + 2 * records, 2 do
  local record = ARGV[1] .. ':r:' .. ARGV[i]
  redis.call('HSET', record, 'entries', ARGV[i + 1], 'inputs', '', 'depth', 0, 'begins', 0, 'invokes', 1)
  redis.call('EXPIREAT', record, meta[3])
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], look, ARGV[i])
end
redis.call('EXPIREAT', KEYS[2], meta[3])
redis.call('EXPIREAT', KEYS[4], meta[3])
redis.call('HSET', KEYS[1], 'state', 'running', 'invocations', records)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'kind', 'state', 'text', 'running')
redis.call('EXPIREAT', KEYS[3], meta[3])
redis.call('PUBLISH', KEYS[3], 'state')
return 'running'
