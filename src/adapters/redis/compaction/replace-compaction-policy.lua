-- Replaces the policy that has expected_etag; '': there is none.
-- Answers DONE; ETAG and the etag of the policy; REPLAY, REUSED, STALE, TOO_MANY.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before then return before end
local current = redis.call('HGET', compaction_policy, 'etag') or ''
if current ~= expected_etag then return { 'ETAG', current } end
create_namespace()
redis.call('HSET', compaction_policy, 'etag', etag, 'rec', rec)
redis.call('HINCRBY', meta, 'changes', 1)
record('')
return { 'DONE' }
