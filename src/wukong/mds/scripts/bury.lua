-- bury: leave only a job's tombstone, so that no later call can write for it; the caller then removes the other keys.
-- KEYS: meta, jobs.  ARGV: job, seconds that the tombstone lives.
-- Reply: nothing if the job is unknown (it is not listed any more, then), else {pages, generation}.
redis.call('ZREM', KEYS[2], ARGV[1])
local meta = redis.call('HMGET', KEYS[1], 'state', 'pages', 'gen')
if not meta[1] then return false end
if meta[1] ~= 'gone' then
  local expire_at = redis.call('TIME')[1] + ARGV[2]
  redis.call('HSET', KEYS[1], 'state', 'gone', 'expire_at', expire_at)
  redis.call('EXPIREAT', KEYS[1], expire_at)
end
return {meta[2], meta[3]}
