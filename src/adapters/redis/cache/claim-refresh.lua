-- Gives the right to refresh an entry to one caller until `claimed_until`. Answers DONE and 1 or 0; STALE.
local wrong = stale()
if wrong then return wrong end
if not is_live(id) then return { 'DONE', 0 } end
local claimed = redis.call('ZSCORE', cache_refreshing, id)
if claimed and tonumber(claimed) > tonumber(now) then return { 'DONE', 0 } end
redis.call('ZADD', cache_refreshing, claimed_until, id)
return { 'DONE', 1 }
