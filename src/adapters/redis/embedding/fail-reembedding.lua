-- Cancels a re-embedding in one partition. stale_field: of the new vectors, which are no longer needed.
if redis.call('HDEL', meta, 'next') == 0 then return end
redis.call('HSET', meta, 'stale', stale_field)
redis.call('DEL', reembedding_todo, reembedding_notes)
