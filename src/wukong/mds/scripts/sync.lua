-- sync: beat, report, commit and end of one holder, in one step.
-- KEYS: meta, look, record, sinks, events, slowest, values.
-- ARGV: prefix, record id, token, generation, lease (ms), end (0/1), current task and its name, memory, memory limit,
--       number of counters, then for each: name, amount,
--       number of arrivals, then for each: child, need, marks, (edge, mark)..., offers, edge...,
--       number of results, then for each: sink, mark,
--       number of log texts, then for each: task, stream, text, name of the task,
--       number of retried tasks, then for each: task, attempt, text, name of the task,
--       number of slow tasks, then for each: microseconds, task and its name,
--       number of this call, number of the last acknowledged one, number of acknowledged offloads, then the id of each.
-- Reply: status, or {OK, room, ended, {value that is free...}, answers...}; an answer is {verdict} or {C, edge, mark, ...}.
local WIDE = 256
-- Arguments handed on at once: Lua takes some thousands, and a script that fails half-way is not rolled back. Even.
local UNPACK = 2000
local SLOWEST = 5
local PRINTED_BYTES = 4194304
local PRINTED_END = '\n... (the rest of what the job prints is in the logs of its environments)\n'
local values = KEYS[7]
local prefix, id, token, generation, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local meta = redis.call('HMGET', KEYS[1], 'state', 'gen', 'left', 'parallelism', 'expire_at', 'budget')
if meta[1] ~= 'running' then return {'STOP'} end
local held = redis.call('HMGET', KEYS[3], 'entries', 'holder', 'told')
if not held[1] then return {'GONE'} end
if meta[2] ~= generation or held[2] ~= token then return {'STALE'} end

local expires, job = meta[5], string.sub(prefix, 3)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[3], 'until', now + lease, 'current', ARGV[7], 'memory', ARGV[8], 'limit', ARGV[9])
redis.call('ZADD', KEYS[2], now + lease, id)
local at = 11
local counted = tonumber(ARGV[10])
for i = at, at + 2 * counted - 2, 2 do
  if string.sub(ARGV[i], 1, 5) ~= 'peak_' then
    redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
  elseif tonumber(ARGV[i + 1]) > tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
at = at + 2 * counted

local owners = prefix .. ':o:' .. generation
local freed = {}
local reply = {'OK', 0, 0, freed}
local claimed, waiting, announced = false, false, false

local arrivals = tonumber(ARGV[at])
at = at + 1
for _ = 1, arrivals do
  local child, need, marks = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local marked_from = at + 3
  local offers = tonumber(ARGV[marked_from + 2 * marks])
  local offered_from = marked_from + 2 * marks + 1
  at = offered_from + offers
  local fan_in = prefix .. ':f:' .. generation .. ':' .. child
  local owner = redis.call('HGET', owners, child)
  local verdict = 'N'
  if owner == id then
    verdict = 'C'
  elseif owner and owner ~= '' then
    verdict = 'T'
  else
    if marks > 0 then
      local marked_to = marked_from + 2 * marks - 1
      for i = marked_from, marked_to, 2 do
        local before = owner and redis.call('HGET', fan_in, ARGV[i])
        if before ~= ARGV[i + 1] then
          named(ARGV[i + 1], job, KEYS[1], values, KEYS[3], expires)
          if before then unnamed(before, job, KEYS[1], values, freed) end
        end
      end
      for i = marked_from, marked_to, UNPACK do
        redis.call('HSET', fan_in, unpack(ARGV, i, math.min(i + UNPACK - 1, marked_to)))
      end
      if not owner then
        redis.call('HSET', owners, child, '')
        redis.call('EXPIREAT', fan_in, expires)
        redis.call('EXPIREAT', owners, expires)
      end
    end
    local have = redis.call('HLEN', fan_in)
    if have + offers >= need then
      for i = offered_from, at - 1 do
        if redis.call('HEXISTS', fan_in, ARGV[i]) == 0 then have = have + 1 end
      end
      if have >= need then
        redis.call('HSET', owners, child, id)
        redis.call('EXPIREAT', owners, expires)
        redis.call('HSET', KEYS[3], 'c:' .. child, 1)
        verdict = 'C'
      end
    end
  end
  local answer = {verdict}
  if verdict == 'C' then
    claimed = true
    if need <= WIDE then
      local here = {}
      for i = marked_from, marked_from + 2 * marks - 2, 2 do here[ARGV[i]] = true end
      for i = offered_from, at - 1 do here[ARGV[i]] = true end
      local all = redis.call('HGETALL', fan_in)
      for i = 1, #all, 2 do
        if not here[all[i]] then
          answer[#answer + 1] = all[i]
          answer[#answer + 1] = all[i + 1]
        end
      end
    end
  elseif verdict == 'N' and offers > 0 then
    waiting = true
  end
  reply[#reply + 1] = answer
end

local results = tonumber(ARGV[at])
at = at + 1
if results > 0 then
  local left = tonumber(meta[3])
  for i = at, at + 2 * results - 2, 2 do
    if redis.call('HSETNX', KEYS[4], ARGV[i], ARGV[i + 1]) == 1 then
      left = left - 1
      named(ARGV[i + 1], job, KEYS[1], values, KEYS[3], expires)
    end
  end
  redis.call('EXPIREAT', KEYS[4], expires)
  redis.call('HSET', KEYS[1], 'left', left)
  if left == 0 then
    redis.call('HSET', KEYS[1], 'state', 'done', 'ended', now)
  end
  meta[3] = left
  at = at + 2 * results
end

local logs = tonumber(ARGV[at])
at = at + 1
local printed = logs > 0 and tonumber(redis.call('HGET', KEYS[1], 'printed') or 0)
for i = at, at + 4 * logs - 4, 4 do
  if printed < PRINTED_BYTES then
    local text = ARGV[i + 2]
    printed = redis.call('HINCRBY', KEYS[1], 'printed', #text)
    if printed >= PRINTED_BYTES then text = text .. PRINTED_END end
    redis.call('XADD', KEYS[5], 'MAXLEN', '~', 10000, '*', 'kind', 'log', 'task', ARGV[i], 'stream', ARGV[i + 1],
      'text', text, 'key', ARGV[i + 3])
    announced = true
  end
end
at = at + 4 * logs

local retried = tonumber(ARGV[at])
at = at + 1
for i = at, at + 4 * retried - 4, 4 do
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', 10000, '*', 'kind', 'retried', 'task', ARGV[i], 'attempt', ARGV[i + 1],
    'text', ARGV[i + 2], 'key', ARGV[i + 3])
  announced = true
end
at = at + 4 * retried

local slow = tonumber(ARGV[at])
if slow > 0 then
  redis.call('ZADD', KEYS[6], unpack(ARGV, at + 1, at + 2 * slow))
  redis.call('ZREMRANGEBYRANK', KEYS[6], 0, -1 - SLOWEST)
  redis.call('EXPIREAT', KEYS[6], expires)
end
at = at + 2 * slow + 1

-- A store that started again may have forgotten what this holder was told: then it has to say it again before it ends.
-- Calls after a gap do not close it.
local number, after, told = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(held[3] or 0)
local forgotten = told < after
if number > told and not forgotten then redis.call('HSET', KEYS[3], 'told', number) end
for i = at + 3, at + 2 + ARGV[at + 2] do
  forgotten = forgotten or redis.call('HEXISTS', KEYS[3], 'g:' .. ARGV[i]) == 0
end

local ended = meta[3] == 0 and 'done'
if meta[6] and not ended then
  local cost = redis.call('HMGET', KEYS[1], 'mb_ms', 'usd_mb_ms', 'invocations', 'usd_request')
  local spent = (cost[1] or 0) * cost[2] + cost[3] * cost[4]
  if spent > tonumber(meta[6]) then
    ended = 'failed'
    redis.call('HSET', KEYS[1], 'state', ended, 'ended', now, 'spent', string.format('%.17g', spent))
  end
end
if ended then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', 10000, '*', 'kind', 'state', 'text', ended)
  announced = true
end
if announced then
  redis.call('EXPIREAT', KEYS[5], expires)
  redis.call('PUBLISH', KEYS[5], 'more')
end
if ended == 'failed' then return {'STOP'} end

if ARGV[6] == '1' and not claimed and not waiting and not forgotten then
  -- Of a job that is done only the results count, which stay.
  local count = not ended and redis.call('EXISTS', values) == 1
  local fields = redis.call('HGETALL', KEYS[3])
  for i = 1, #fields, 2 do
    local kind, rest = string.sub(fields[i], 1, 2), string.sub(fields[i], 3)
    if kind == 'c:' then
      local fan_in = prefix .. ':f:' .. generation .. ':' .. rest
      if count then
        for _, mark in ipairs(redis.call('HVALS', fan_in)) do unnamed(mark, job, KEYS[1], values, freed) end
      end
      redis.call('UNLINK', fan_in)
    elseif kind == 'v:' and count then
      unnamed(fields[i + 1], job, KEYS[1], values, freed)
    elseif fields[i] == 'inputs' and count then
      for _, mark in ipairs(carried(fields[i + 1])) do unnamed(mark, job, KEYS[1], values, freed) end
    end
  end
  redis.call('UNLINK', KEYS[3])
  redis.call('ZREM', KEYS[2], id)
  reply[3] = 1
end
reply[2] = math.max(0, tonumber(meta[4]) - redis.call('ZCARD', KEYS[2]))
return reply
