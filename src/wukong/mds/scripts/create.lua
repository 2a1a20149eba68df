-- create: note what a job is, before its pages are written; again if an earlier submission was cut short.
-- KEYS: meta, jobs, ring.
-- ARGV: job, ms until the deadline, seconds that keys outlive it, ring as JSON, then fields and values of the job.
-- Reply: {state}, with the time (s) at which the job's keys expire if it is loading.
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'loading' then return {state} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = now + ARGV[2]
local expire_at = math.ceil(deadline / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], 'state', 'loading', 'created', now, 'deadline', deadline, 'expire_at', expire_at,
  unpack(ARGV, 5))
redis.call('EXPIREAT', KEYS[1], expire_at)
redis.call('ZADD', KEYS[2], math.floor(deadline / 1000), ARGV[1])
redis.call('SET', KEYS[3], ARGV[4], 'NX')
return {'loading', expire_at}
