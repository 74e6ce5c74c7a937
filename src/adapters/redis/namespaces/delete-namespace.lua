-- Deletes a namespace in one step: its data can no longer be reached, and is removed in the background.
-- Answers DONE and '<memories> <cache entries>'; REPLAY, REUSED, STALE.
local before = replay()
if before then return before end
local wrong = stale()
if wrong and wrong[2] then return wrong end
local memories, entries = '0', 0
if not wrong then
  memories = redis.call('HGET', counters, 'memories') or '0'
  entries = redis.call('ZCARD', cache_order)
  redis.call('HDEL', namespaces, namespace_name)
  redis.call('ZREM', tenant_namespaces, own_name)
  redis.call('SADD', deleted, namespace_id)
  redis.call('HINCRBY', meta, 'changes', 1)
end
local outcome = memories .. ' ' .. entries
record(outcome)
return { 'DONE', outcome }
