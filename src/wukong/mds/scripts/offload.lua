-- offload: give pieces away, and renew the lease. The child records and the parent's note of what it gave are one step.
-- KEYS: meta, look, record, values.
-- ARGV: prefix, record id, token, generation, offload id, end (0/1), lease (ms), depth,
--       number of pieces, then for each: entries, inputs.
-- Reply: status, or {OK, accepted}. Piece i becomes record {offload id}.{i}.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'parallelism', 'expire_at')
if meta[1] ~= 'running' then return {'STOP'} end
local given = 'g:' .. ARGV[5]
local held = redis.call('HMGET', KEYS[3], 'entries', 'holder', given, 'restores')
if not held[1] then return {'GONE'} end
if meta[2] ~= ARGV[4] or held[2] ~= ARGV[3] then return {'STALE'} end
local time = redis.call('TIME')
local till = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[7]
redis.call('HSET', KEYS[3], 'until', till)
redis.call('ZADD', KEYS[2], till, ARGV[2])
if held[3] then return {'OK', tonumber(string.match(held[3], '^%d+'))} end

local accepted = tonumber(ARGV[9])
if ARGV[6] ~= '1' then
  accepted = math.max(0, math.min(accepted, tonumber(meta[3]) - redis.call('ZCARD', KEYS[2])))
end
local entries, job = {}, string.sub(ARGV[1], 3)
for i = 0, accepted - 1 do
  local id = ARGV[5] .. '.' .. i
  local record = ARGV[1] .. ':r:' .. id
  redis.call('HSET', record, 'entries', ARGV[10 + 2 * i], 'inputs', ARGV[11 + 2 * i],
    'depth', ARGV[8], 'begins', 0, 'invokes', 1)
  if held[4] then redis.call('HSET', record, 'restores', 1) end
  redis.call('EXPIREAT', record, meta[4])
  for _, mark in ipairs(carried(ARGV[11 + 2 * i])) do named(mark, job, KEYS[1], KEYS[4], KEYS[3], meta[4]) end
  redis.call('ZADD', KEYS[2], till, id)
  entries[#entries + 1] = ARGV[10 + 2 * i]
end
redis.call('HSET', KEYS[3], given, accepted .. ':' .. table.concat(entries))
redis.call('HINCRBY', KEYS[1], 'invocations', accepted)
return {'OK', accepted}
