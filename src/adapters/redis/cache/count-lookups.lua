-- Counts lookups, and hits as uses of their entries. Answers DONE, STALE.
local wrong = stale()
if wrong then return wrong end
redis.call('HINCRBY', counters, 'exact_hits', exact_hits)
redis.call('HINCRBY', counters, 'semantic_hits', semantic_hits)
redis.call('HINCRBY', counters, 'misses', misses)
for _, use in ipairs(uses) do redis.call('ZADD', cache_uses, 'XX', 'GT', use.keep_score, use.id) end
return { 'DONE' }
