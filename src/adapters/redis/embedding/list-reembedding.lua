-- Lists memories that have a vector of the old model and none of the new one as still to be embedded.
-- KEYS: 1 meta, 2 reembeddingTodo, then the memories. ARGV: 1 the field that is searched, 2 the next one, then members.
-- Nothing is listed when the re-embedding is over.
if redis.call('HEXISTS', KEYS[1], 'next') == 0 then return end
for index = 3, #KEYS do
  local kept = redis.call('HMGET', KEYS[index], 'etag')
  local old = redis.call('HEXISTS', KEYS[index], ARGV[1]) == 1
  local new = redis.call('HEXISTS', KEYS[index], ARGV[2]) == 1
  if kept[1] and old and not new then redis.call('ZADD', KEYS[2], 0, ARGV[index]) end
end
