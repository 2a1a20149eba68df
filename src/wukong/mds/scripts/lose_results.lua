-- lose_results: results that nobody can read are to be had again, each only where it is still the one that was missed. A
-- job that was done runs again for that. What its records had left to do nobody needs: they go.
-- KEYS: meta, look, sinks, events, jobs, then those that `prolong` leaves to expire.
-- ARGV: prefix, job, first look (ms), ms before the end of all keys until which a job that runs again has time,
--       number of groups, then for each: number of results, then for each: sink, mark.
-- Reply: {id...} of the records created, one for each group in which something was lost.
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'deadline', 'expire_at', 'pages')
local done = meta[1] == 'done'
if meta[1] ~= 'running' and not done then return {} end

local function word(number)
  return string.char(number % 256, math.floor(number / 256) % 256, math.floor(number / 65536) % 256,
    math.floor(number / 16777216) % 256)
end

local lost, groups, at = {}, {}, 6
for _ = 1, tonumber(ARGV[5]) do
  local results = tonumber(ARGV[at])
  local entries, inputs = {}, {}
  for i = at + 1, at + 2 * results, 2 do
    local sink, mark = ARGV[i], ARGV[i + 1]
    if not lost[sink] and redis.call('HGET', KEYS[3], sink) == mark then
      lost[sink] = true
      lost[#lost + 1] = sink
      entries[#entries + 1] = word(tonumber(sink)) .. word(tonumber(sink))
      inputs[#inputs + 1] = word(tonumber(sink)) .. word(#mark) .. mark
    end
  end
  at = at + 1 + 2 * results
  if #entries > 0 then groups[#groups + 1] = {table.concat(entries), table.concat(inputs)} end
end
if #lost == 0 then return {} end

local prefix, expires = ARGV[1], meta[4]
if done then
  local live = redis.call('ZRANGE', KEYS[2], 0, -1)
  for _, id in ipairs(live) do
    live[id] = true
    redis.call('UNLINK', prefix .. ':r:' .. id)
  end
  redis.call('UNLINK', KEYS[2])
  -- A job that was prolonged has keys that were not. All are needed now.
  for gen = 0, tonumber(meta[2]) do
    local owners = redis.call('HGETALL', prefix .. ':o:' .. gen)
    redis.call('EXPIREAT', prefix .. ':o:' .. gen, expires)
    for i = 1, #owners, 2 do
      local owner = owners[i + 1]
      if owner == '' or live[owner] then redis.call('EXPIREAT', prefix .. ':f:' .. gen .. ':' .. owners[i], expires) end
    end
  end
  for i = 6, #KEYS do redis.call('EXPIREAT', KEYS[i], expires) end
  local deadline = math.max(tonumber(meta[3]), expires * 1000 - ARGV[4])
  redis.call('HSET', KEYS[1], 'state', 'running', 'deadline', string.format('%.0f', deadline))
  redis.call('HDEL', KEYS[1], 'ended')
  redis.call('ZADD', KEYS[5], 'XX', math.floor(deadline / 1000), ARGV[2])
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', 10000, '*', 'kind', 'state', 'text', 'running')
  redis.call('EXPIREAT', KEYS[4], expires)
  redis.call('PUBLISH', KEYS[4], 'state')
end

for _, sink in ipairs(lost) do redis.call('HDEL', KEYS[3], sink) end
redis.call('HINCRBY', KEYS[1], 'left', #lost)
redis.call('HINCRBY', KEYS[1], 'invocations', #groups)
local time = redis.call('TIME')
local look = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
local created = {}
for _, group in ipairs(groups) do
  local id = 'lost.' .. redis.call('HINCRBY', KEYS[1], 'losses', 1)
  local record = prefix .. ':r:' .. id
  redis.call('HSET', record, 'entries', group[1], 'inputs', group[2], 'restores', 1,
    'depth', 0, 'begins', 0, 'invokes', 1)
  redis.call('EXPIREAT', record, expires)
  redis.call('ZADD', KEYS[2], look, id)
  created[#created + 1] = id
end
redis.call('EXPIREAT', KEYS[2], expires)
return created
