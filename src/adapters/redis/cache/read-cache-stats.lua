-- Counts entries; removes expired and invalidated ones first, as their bytes are part of the sum.
-- Answers STATS, entries, and names and values of all counters; AGAIN when one call did not remove enough; both with
-- how many expired and invalidated ones it removed; STALE.
local wrong = stale()
if wrong then return wrong end
sweep(STEP)
if reclaim() or has_expired() then return with_removed({ 'AGAIN' }) end
return with_removed({ 'STATS', redis.call('ZCARD', cache_order), redis.call('HGETALL', counters) })
