-- Replaces the policy that has expected_etag. no_policy_etag: the etag of a namespace without a policy.
-- Answers DONE; ETAG and the etag of the policy; REPLAY, REUSED, STALE, TOO_MANY.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before then return before end
local current = redis.call('HGET', cache_policy, 'etag') or no_policy_etag
if current ~= expected_etag then return { 'ETAG', current } end
create_namespace()
redis.call('HSET', cache_policy, 'etag', etag, 'rec', rec)
redis.call('HINCRBY', meta, 'changes', 1)
record('')
return { 'DONE' }
