-- Puts a new state in the place of a memory, which keeps its position and its access statistics.
-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 expire time of the request, 8 now, 9 generation,
-- 10 the etag that it has to have, from 11 on the memory. Answers DONE and the row; or REPEAT, outcome and the row;
-- MISSING; CHANGED and the etag; REUSED, STALE, MODEL.
local wrong = stale()
if wrong then return wrong end
local now, generation = ARGV[8], ARGV[9]
local keys = memory_keys(5, ARGV[2])
local memory = memory_at(11)
local etag = etag_of(keys, memory.id, now)
if not etag then return { 'MISSING' } end
local before = recall(KEYS[4], ARGV[6], now)
if before then
  before[3] = read_memory(keys, memory.id, {})
  return before
end
if etag ~= ARGV[10] then return { 'CHANGED', etag } end
wrong = other_model(keys, generation)
if wrong then return wrong end
local position = tonumber(redis.call('HGET', keys.memory .. memory.id, 'pos') or 0)
local changes = no_changes()
take_memory(keys, changes, memory.id)
write_memory(keys, changes, memory, generation, position, now)
write_changes(keys, changes)
record(KEYS[4], ARGV[6], ARGV[7], now, 'replaced')
return { 'DONE', read_memory(keys, memory.id, {}) }
