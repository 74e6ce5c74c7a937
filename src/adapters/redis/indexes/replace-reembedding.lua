-- Writes the record of a re-embedding in the first partition, if the one that was read ('': none) is still the latest.
-- Answers DONE, or AGAIN after a conflicting write.
local latest = redis.call('HGET', meta, 'reembedding') or ''
if latest ~= read_record then return { 'AGAIN' } end
redis.call('HSET', meta, 'reembedding', next_record)
return { 'DONE' }
