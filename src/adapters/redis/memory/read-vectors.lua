-- KEYS: 4 meta, from 5 on memories. ARGV: 6 generation, 7 the field of its vectors.
-- Answers READ and the vector of each, false where there is none; MODEL, STALE.
local wrong = stale()
if wrong then return wrong end
if redis.call('HGET', KEYS[4], 'generation') ~= ARGV[6] then return { 'MODEL' } end
local vectors = {}
for at = 5, #KEYS do vectors[#vectors + 1] = redis.call('HGET', KEYS[at], ARGV[7]) end
return { 'READ', vectors }
