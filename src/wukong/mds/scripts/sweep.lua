-- sweep: what of one job needs attention. Each record found is looked at again after a pause that doubles.
-- KEYS: meta, look, deaths.  ARGV: prefix, pause (ms).
-- Reply: {state, expired, stalled, generation,
--     {record, begins, invokes, current task and its name, memory, memory limit, why, deaths}...}
local meta = redis.call('HMGET', KEYS[1], 'state', 'deadline', 'left', 'gen', 'expire_at')
if meta[1] ~= 'running' then return {meta[1] or 'gone', 0, 0, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {'running', 0, 0, tonumber(meta[4])}
if now > tonumber(meta[2]) then reply[2] = 1 end
if redis.call('ZCARD', KEYS[2]) == 0 and tonumber(meta[3]) > 0 then reply[3] = 1 end

-- How often the current task, or this record where none ran, has ended a holder. Of each holder it is counted once.
-- A first holder's task may be another than the one that ended it: it is known from its last beat only.
local function deaths(record, begins, current)
  local task = string.match(current, '^%d+')
  local counts, name = KEYS[3], task
  if not task then counts, name = record, 'idle' end
  if redis.call('HGET', record, 'counted') == begins or begins == '0' or (task and begins == '1') then
    return tonumber(redis.call('HGET', counts, name) or 0)
  end
  redis.call('HSET', record, 'counted', begins)
  local count = redis.call('HINCRBY', counts, name, 1)
  if task then redis.call('EXPIREAT', counts, meta[5]) end
  return count
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 100)) do
  local record = ARGV[1] .. ':r:' .. id
  local fields = redis.call('HMGET', record, 'begins', 'invokes', 'until', 'current', 'memory', 'limit', 'why')
  if not fields[1] then
    redis.call('ZREM', KEYS[2], id)
  elseif not fields[3] or tonumber(fields[3]) <= now then
    local invokes = redis.call('HINCRBY', record, 'invokes', 1)
    redis.call('HINCRBY', KEYS[1], 'invocations', 1)
    redis.call('ZADD', KEYS[2], now + ARGV[2] * 2 ^ math.min(invokes - 2, 10), id)
    -- What the platform said of the last holder, and not of one before it.
    local begins, why = string.match(fields[7] or '', '^(%d+):(.*)$')
    if begins ~= fields[1] then why = '' end
    local current = fields[4] or '-1 '
    reply[#reply + 1] = {id, fields[1], invokes, current, fields[5] or '0', fields[6] or '0', why,
      deaths(record, fields[1], current)}
  end
end
return reply
