-- Counts a report, and writes the entry that it has changed, unless that was written meanwhile.
-- expected_version: of the entry that was read ('': the report is not about a stored answer, and is only counted).
-- new_version, etag, rec, expire_time: of the changed entry (new_version '': it does not change).
-- quarantined: '1' when the entry is quarantined by this report; its vector is removed. plain_bytes: its size without it.
-- Answers DONE and '1' when the report is about a stored answer, else '0'; CHANGED when the entry has another version; REPLAY
-- and '1' or '0'; REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = replay()
if before then return before end

local function write_entry()
  redis.call('HSET', entry, 'version', new_version, 'etag', etag, 'rec', rec)
  local fields = redis.call('HGET', cache_fields, id)
  if quarantined == '1' then
    redis.call('HDEL', entry, 'v' .. redis.call('HGET', meta, 'generation'))
    local bytes = fields:match('^%d+')
    redis.call('HINCRBY', counters, 'cache_bytes', string.format('%d', plain_bytes - bytes))
    redis.call('HINCRBY', counters, 'removed:quarantined', 1)
    fields = fields:gsub('^%d+', plain_bytes, 1)
  end
  fields = fields:gsub(' %[%d+', ' [' .. expire_time, 1)
  redis.call('HSET', cache_fields, id, fields)
  redis.call('ZADD', cache_expiry, 'XX', expire_time, id)
  redis.call('ZREM', cache_refreshing, id)
  -- As when it was put: Redis expires it a minute after its expire time.
  local milliseconds = math.max(0, math.ceil(tonumber(expire_time) - tonumber(now))) + 60000
  redis.call('PEXPIRE', entry, string.format('%d', milliseconds))
end

local applied = '0'
if expected_version ~= '' and is_live(id) then
  local version = redis.call('HGET', entry, 'version')
  if version and version ~= expected_version then return { 'CHANGED' } end
  if version then
    applied = '1'
    if new_version ~= '' then write_entry() end
  end
end
redis.call('HINCRBY', counters, 'reports:' .. outcome, 1)
redis.call('HINCRBY', meta, 'changes', 1)
record(applied)
return { 'DONE', applied }
