-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 now, 8 id.
-- Answers NEW; or REPEAT, outcome and the row; MISSING, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local keys = memory_keys(5, ARGV[2])
if not etag_of(keys, ARGV[8], ARGV[7]) then return { 'MISSING' } end
local before = recall(KEYS[4], ARGV[6], ARGV[7])
if not before then return { 'NEW' } end
before[3] = read_memory(keys, ARGV[8], {})
return before
