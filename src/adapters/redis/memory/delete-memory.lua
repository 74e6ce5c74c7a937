-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 expire time of the request, 8 now, 9 id, 10 the etag
-- that it has to have (none: any). Answers DONE; or MISSING; CHANGED and the etag; REPEAT, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = recall(KEYS[4], ARGV[6], ARGV[8])
if before then return before end
local keys = memory_keys(5, ARGV[2])
local etag = etag_of(keys, ARGV[9], ARGV[8])
if not etag then return { 'MISSING' } end
if ARGV[10] and ARGV[10] ~= etag then return { 'CHANGED', etag } end
local changes = no_changes()
remove_memory(keys, changes, ARGV[9])
write_changes(keys, changes)
record(KEYS[4], ARGV[6], ARGV[7], ARGV[8], 'deleted')
return { 'DONE' }
