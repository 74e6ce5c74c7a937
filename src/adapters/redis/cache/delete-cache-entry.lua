-- Deletes an entry. has_etag: '1' when the entry has to have expected_etag.
-- Answers DONE; ABSENT; ETAG and the etag of the entry; REPLAY, REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = replay()
if before then return before end
local etag = redis.call('HGET', entry, 'etag')
if not etag or not is_live(id) then return { 'ABSENT' } end
if has_etag == '1' and expected_etag ~= etag then return { 'ETAG', etag } end
remove_entry(id)
redis.call('HINCRBY', meta, 'changes', 1)
record('')
return { 'DONE' }
