-- Replaces a memory, which becomes a revision, and keeps its position and its access statistics. `memories` holds the new state alone: the fields
-- of write_memory. change: its kind in the change feed, the first letter. forgets: '1' when its revisions are deleted.
-- Answers DONE and the row; REPLAY, outcome and the row; MISSING; CHANGED and the etag; REUSED, STALE, MODEL.
local wrong = stale()
if wrong then return wrong end
local memory = memories[1]
local etag = etag_of(memory.id, now)
if not etag then return { 'MISSING' } end
local before = replay()
if before then
  before[3] = read_memory(memory.id, {})
  return before
end
if etag ~= expected_etag then return { 'CHANGED', etag } end
wrong = other_model(generation)
if wrong then return wrong end
local position = tonumber(redis.call('HGET', memory_prefix .. memory.id, 'pos') or 0)
local changes = no_changes()
local revision = keep_revision(memory.id, memory.updated)
if forgets == '1' then redis.call('DEL', revisions_prefix .. memory.id) end
take_memory(changes, memory.id)
write_memory(changes, memory, generation, position, now, revision)
count_change(changes, memory.user)
note(changes, change, memory.id)
write_changes(changes)
write_changed_scopes(changes, now)
record('replaced')
return { 'DONE', read_memory(memory.id, {}) }
