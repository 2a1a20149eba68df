-- seek: where a lost value is that somebody computed again, or whether to do so.
-- KEYS: meta, look, record, healed.
-- ARGV: prefix, record id, token, generation, lease (ms), task, 1 to lock it, the mark that could not be read.
-- Reply: status, or {OK, 1 if it is free, mark}. What is locked is free for others when its record has another holder, or none.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'expire_at')
if meta[1] ~= 'running' then return {'STOP'} end
local held = redis.call('HMGET', KEYS[3], 'entries', 'holder')
if not held[1] then return {'GONE'} end
if meta[2] ~= ARGV[4] or held[2] ~= ARGV[3] then return {'STALE'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[3], 'until', now + ARGV[5])
redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[2])

local kept = redis.call('HGET', KEYS[4], ARGV[6])
if kept and string.sub(kept, 1, 1) == 'M' then
  local mark = string.sub(kept, 2)
  if ARGV[7] == '0' or mark ~= ARGV[8] then return {'OK', 0, mark} end
elseif kept then
  local token, record = string.match(kept, '^L([^:]*):(.*)$')
  local other = redis.call('HMGET', ARGV[1] .. ':r:' .. record, 'holder', 'until')
  local mine = token == ARGV[3] and record == ARGV[2]
  if not mine and other[1] == token and tonumber(other[2]) > now then return {'OK', 0, ''} end
end
if ARGV[7] == '1' then
  redis.call('HSET', KEYS[4], ARGV[6], 'L' .. ARGV[3] .. ':' .. ARGV[2])
  redis.call('EXPIREAT', KEYS[4], meta[3])
end
return {'OK', 1, ''}
