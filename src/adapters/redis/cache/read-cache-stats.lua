-- Counts entries; removes expired and invalidated ones first, as their bytes are part of the sum.
-- Answers STATS, entries, bytes, exact hits, semantic hits, misses, stores and evictions; AGAIN when one call did not
-- remove enough; STALE.
local wrong = stale()
if wrong then return wrong end
sweep(STEP)
if reclaim() or has_expired() then return { 'AGAIN' } end
local counted = redis.call('HMGET', counters, 'cache_bytes', 'exact_hits', 'semantic_hits', 'misses', 'stores', 'evictions')
return { 'STATS', redis.call('ZCARD', cache_order), unpack(counted) }
