-- Counts what has not ended; removes what has, as its bytes are part of the sum.
-- KEYS and ARGV: see lua/cache.lua. Answers {'STATS', entries, ...}, AGAIN when more has to go than one call removes, STALE.
local wrong = stale()
if wrong then return wrong end
sweep(STEP)
if has_ended() then return { 'AGAIN' } end
local counters = redis.call('HMGET', KEYS[4], 'cache_bytes', 'exact_hits', 'semantic_hits', 'misses', 'stores', 'evictions')
return { 'STATS', redis.call('ZCARD', KEYS[5]), unpack(counters) }
