-- What became of a request that may come again: '<expire time> <body hash> <outcome>'. An empty body hash: the request
-- cannot come again, and nothing is kept.

-- Redis removes a record a minute after its time, whatever its own clock says.
local function milliseconds_to(expire_time, now)
  return string.format('%d', math.max(1, math.ceil(tonumber(expire_time) - tonumber(now)) + 60000))
end

-- Nil when the request is new; else {'REUSED'} or {'REPEAT', outcome}.
local function recall(key, body_hash, now)
  if body_hash == '' then return nil end
  local kept = redis.call('GET', key)
  if not kept then return nil end
  local expire_time, kept_hash, outcome = kept:match('^(%S+) (%S+) (.*)$')
  if tonumber(expire_time) <= tonumber(now) then return nil end
  if kept_hash ~= body_hash then return { 'REUSED' } end
  -- A write, though it changes nothing: WAIT (see replicated.ts) waits for what its own connection has written.
  redis.call('PEXPIRE', key, milliseconds_to(expire_time, now))
  return { 'REPEAT', outcome }
end

local function record(key, body_hash, expire_time, now, outcome)
  if body_hash == '' then return end
  local kept = expire_time .. ' ' .. body_hash .. ' ' .. outcome
  redis.call('SET', key, kept, 'PX', milliseconds_to(expire_time, now))
end
