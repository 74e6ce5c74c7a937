-- Gives a re-embedding up in one partition. KEYS: 1 meta, 2 reembeddingTodo, 3 reembeddingNotes.
-- ARGV: 1 the field of the new vectors, which nobody needs any more.
if redis.call('HDEL', KEYS[1], 'next') == 0 then return end
redis.call('HSET', KEYS[1], 'stale', ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
