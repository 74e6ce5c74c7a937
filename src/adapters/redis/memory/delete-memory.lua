-- Deletes a memory. has_etag: '1' when it has to have expected_etag.
-- Answers DONE; MISSING; CHANGED and the etag; REPLAY, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = replay()
if before then return before end
local etag = etag_of(id, now)
if not etag then return { 'MISSING' } end
if has_etag == '1' and expected_etag ~= etag then return { 'CHANGED', etag } end
local changes = no_changes()
remove_memory(changes, id)
note(changes, 'D', id)
write_changes(changes)
record('deleted')
return { 'DONE' }
