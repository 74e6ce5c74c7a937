-- Forgets the changes of a user that began at `since`.
-- Answers DONE and 1, or 0 when they were forgotten before; or STALE.
local wrong = stale()
if wrong then return wrong end
local member = namespace_id .. '/' .. user
local first_change = redis.call('ZSCORE', changed_scopes, member)
if not first_change or tonumber(first_change) ~= tonumber(since) then return { 'DONE', 0 } end
redis.call('ZREM', changed_scopes, member)
redis.call('ZREM', changed_scope_counts, member)
redis.call('HINCRBY', meta, 'changes', 1)
return { 'DONE', 1 }
