-- Counts lookups, and hits as uses of their entries.
-- KEYS: 4 counters, 5 cacheUses. ARGV: 6 exact hits, 7 semantic hits, 8 misses, from 9 on keep score and id in turn.
-- Answers DONE, STALE.
local wrong = stale()
if wrong then return wrong end
redis.call('HINCRBY', KEYS[4], 'exact_hits', ARGV[6])
redis.call('HINCRBY', KEYS[4], 'semantic_hits', ARGV[7])
redis.call('HINCRBY', KEYS[4], 'misses', ARGV[8])
for at = 9, #ARGV, 2 do redis.call('ZADD', KEYS[5], 'XX', 'GT', ARGV[at], ARGV[at + 1]) end
return { 'DONE' }
