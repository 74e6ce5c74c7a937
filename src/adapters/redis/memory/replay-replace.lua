-- Whether a replacement was done before.
-- Answers NEW; or REPLAY, outcome and the row; MISSING, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
if not etag_of(id, now) then return { 'MISSING' } end
local before = replay()
if not before then return { 'NEW' } end
before[3] = read_memory(id, {})
return before
