-- Writes the record of a re-embedding, if the one that was read is still the latest.
-- KEYS: 1 meta of partition 0. ARGV: 1 the record that was read (empty: none), 2 the new one.
-- Answers DONE, or AGAIN when another process was faster.
local kept = redis.call('HGET', KEYS[1], 'reembedding') or ''
if kept ~= ARGV[1] then return { 'AGAIN' } end
redis.call('HSET', KEYS[1], 'reembedding', ARGV[2])
return { 'DONE' }
