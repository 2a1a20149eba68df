-- values: in how many places a job's marks name each of its values in the KVS. Goes before the scripts that count.
-- A value is known by the mark of its manifest. Whoever names one first has stored it and may name it elsewhere too, so
-- its record counts as one place more, until it ends. What is named nowhere any more nobody can find: it is freed.
local MANIFEST, OWNER = 33, 20  -- bytes before the manifest in a mark, and before the owner in that
local function number(text, at, size)
  local sum = 0
  for i = at + size - 1, at, -1 do sum = sum * 256 + string.byte(text, i) end
  return sum
end

-- The manifest's mark and the bytes of the value that a mark stands for, where that is one of this job's in the KVS.
local function stored(mark, job)
  if string.sub(mark, 1, 1) == 'G' then mark = string.sub(mark, 18) end
  if string.sub(mark, 1, 1) ~= 'M' or #mark < MANIFEST + OWNER then return nil end
  local at = MANIFEST + 1
  local owner = number(mark, at + 12, 2)
  if string.sub(mark, at + OWNER, at + OWNER + owner - 1) ~= job then return nil end
  local count, bytes = number(mark, at + 8, 4), number(mark, at, 8)
  local lengths = at + OWNER + owner + number(mark, at + 14, 2) + number(mark, at + 16, 2) + number(mark, at + 18, 2)
  if #mark ~= lengths + 8 * count - 1 then return nil end
  for i = lengths, #mark, 8 do bytes = bytes + number(mark, i, 8) end
  return mark, bytes
end

local function counted(meta, bytes)
  local now = redis.call('HINCRBY', meta, 'stored', string.format('%.0f', bytes))
  if now > tonumber(redis.call('HGET', meta, 'peak_stored') or 0) then redis.call('HSET', meta, 'peak_stored', now) end
end

-- One place more names a value. Keys: those of the job, the values, and the record of whoever says so.
local function named(mark, job, meta, values, record, expires)
  local value, bytes = stored(mark, job)
  if value and redis.call('HINCRBY', values, value, 1) == 1 then
    redis.call('HINCRBY', values, value, 1)
    redis.call('HSET', record, 'v:' .. redis.sha1hex(value), value)
    redis.call('EXPIREAT', values, expires)
    counted(meta, bytes)
  end
end

-- One place less does. The value is added to `freed` if it was the last.
local function unnamed(mark, job, meta, values, freed)
  local value, bytes = stored(mark, job)
  if not value then return end
  local places = redis.call('HINCRBY', values, value, -1)
  if places <= 0 then redis.call('HDEL', values, value) end
  if places == 0 then
    freed[#freed + 1] = value
    counted(meta, -bytes)
  end
end

-- The marks in the inputs of a record: (task, length, mark) one after the other.
local function carried(inputs)
  local marks, at = {}, 1
  while at <= #inputs do
    local size = number(inputs, at + 4, 4)
    marks[#marks + 1] = string.sub(inputs, at + 8, at + 7 + size)
    at = at + 8 + size
  end
  return marks
end
