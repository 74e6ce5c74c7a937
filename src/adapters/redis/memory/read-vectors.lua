-- Reads the vectors of memories, in `field`. Answers READ and the vector of each, false where there is none; MODEL, STALE.
local wrong = stale()
if wrong then return wrong end
if redis.call('HGET', meta, 'generation') ~= generation then return { 'MODEL' } end
local vectors = {}
for index, key in ipairs(memory_keys) do vectors[index] = redis.call('HGET', key, field) end
return { 'READ', vectors }
