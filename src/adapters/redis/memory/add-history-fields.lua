-- Adds the fields that as_of filters by to memories that an older program has written. Of each: id, the etag with which it was
-- read, and the fields ('': none). One that has changed since then has its fields.
-- Answers DONE, STALE.
local wrong = stale()
if wrong then return wrong end
local added = 0
for _, memory in ipairs(memories) do
  if redis.call('HGET', memory_prefix .. memory.id, 'etag') == memory.etag then
    set_history(memory_prefix .. memory.id, memory)
    added = added + 1
  end
end
-- Detects that an older state was restored: see store-identity.ts.
if added > 0 then redis.call('HINCRBY', meta, 'changes', added) end
return { 'DONE' }
