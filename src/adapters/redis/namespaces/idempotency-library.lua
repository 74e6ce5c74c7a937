-- The record of a request with a request_id: '<expire time> <body hash> <outcome>'. An empty body_hash: the request has no
-- request_id, and nothing is recorded.

-- Redis expires a record a minute after its expire time, to allow for its own clock.
local function milliseconds_to(expire_time)
  return string.format('%d', math.max(1, math.ceil(tonumber(expire_time) - tonumber(now)) + 60000))
end

-- Nil when the request is new; else {'REUSED'} or {'REPLAY', outcome}.
local function replay()
  if body_hash == '' then return nil end
  local recorded = redis.call('GET', request)
  if not recorded then return nil end
  local expire_time, recorded_hash, outcome = recorded:match('^(%S+) (%S+) (.*)$')
  if tonumber(expire_time) <= tonumber(now) then return nil end
  if recorded_hash ~= body_hash then return { 'REUSED' } end
  -- A write, though it changes nothing: WAIT (see replication.ts) waits for what its own connection has written.
  redis.call('PEXPIRE', request, milliseconds_to(expire_time))
  return { 'REPLAY', outcome }
end

local function record(outcome)
  if body_hash == '' then return end
  local value = request_expire_time .. ' ' .. body_hash .. ' ' .. outcome
  redis.call('SET', request, value, 'PX', milliseconds_to(request_expire_time))
end
