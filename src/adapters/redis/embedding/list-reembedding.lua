-- Adds memories with a vector in current_field and none in next_field to the re-embedding; does nothing when the
-- re-embedding is over.
if redis.call('HEXISTS', meta, 'next') == 0 then return end
for index, key in ipairs(memory_keys) do
  local etag = redis.call('HGET', key, 'etag')
  local has_current = redis.call('HEXISTS', key, current_field) == 1
  local has_next = redis.call('HEXISTS', key, next_field) == 1
  if etag and has_current and not has_next then redis.call('ZADD', reembedding_todo, 0, members[index]) end
end
