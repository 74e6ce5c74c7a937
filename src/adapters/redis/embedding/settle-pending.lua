-- Writes the vectors of pending memories, or the refusals of their texts.
-- refused_due_time: the due time of a memory whose text is refused now. Of each memory: namespace_name, member, etag,
-- embedding as JSON, field of the vector ('': refused), vector.
-- Answers DONE and how many; or MODEL.
if redis.call('HGET', meta, 'generation') ~= generation then return { 'MODEL' } end
local settled = 0
local is_reembedding = redis.call('HEXISTS', meta, 'next') == 1
for index, memory in ipairs(memories) do
  local key, member = memory_keys[index], memory.member
  local etag, expire = unpack(redis.call('HMGET', key, 'etag', 'expire'))
  local is_expired = expire and tonumber(expire) <= tonumber(now)
  local is_current = redis.call('HGET', namespaces, memory.namespace_name) == member:match('^[^/]+')
  if is_current and etag == memory.etag and not is_expired and redis.call('ZSCORE', pending, member) then
    settled = settled + 1
    if memory.field == '' then
      redis.call('HSET', key, 'emb', memory.embedding)
      redis.call('ZADD', pending, refused_due_time, member)
    else
      redis.call('HSET', key, 'emb', memory.embedding, memory.field, memory.vector)
      redis.call('ZREM', pending, member)
      redis.call('HDEL', pending_attempts, member)
      if is_reembedding then redis.call('ZADD', reembedding_todo, 0, member) end
    end
    redis.call('ZREM', pending_since, member)
  end
end
return { 'DONE', settled }
