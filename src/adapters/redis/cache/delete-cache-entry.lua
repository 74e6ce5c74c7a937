-- KEYS: 4 to 9 see lua/cache.lua, 10 request, 11 the entry, 12 meta.
-- ARGV: 6 and 7 see lua/cache.lua, 8 body hash, 9 expire time of the request, 10 id, 11 whether an etag is given ('1'),
-- 12 that. Answers DONE, ABSENT, {'ETAG', that of the entry}; REPEAT, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = recall(KEYS[10], ARGV[8], ARGV[7])
if before then return before end
local etag = redis.call('HGET', KEYS[11], 'etag')
if not etag or not is_live(ARGV[10]) then return { 'ABSENT' } end
if ARGV[11] == '1' and ARGV[12] ~= etag then return { 'ETAG', etag } end
remove(ARGV[10])
redis.call('HINCRBY', KEYS[12], 'changes', 1)
record(KEYS[10], ARGV[8], ARGV[9], ARGV[7], '')
return { 'DONE' }
