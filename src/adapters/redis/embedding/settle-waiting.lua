-- Gives memories that wait their vectors.
-- KEYS: 1 meta, 2 namespaces, 3 waiting, 4 waitingSince, 5 waitingAttempts,
-- 6 reembeddingTodo, then the memories.
-- ARGV: 1 generation, 2 now, 3 the score of what is refused now, then for each memory: name of its namespace, member, etag,
-- embedding as JSON, field of the vector (empty: refused), vector.
-- Answers {'DONE', how many}, or MODEL.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return { 'MODEL' } end
local now, settled = tonumber(ARGV[2]), 0
local is_reembedding = redis.call('HEXISTS', KEYS[1], 'next') == 1
for index = 7, #KEYS do
  local at = 4 + (index - 7) * 6
  local name, member, etag, embedding = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local field, vector = ARGV[at + 4], ARGV[at + 5]
  local kept = redis.call('HMGET', KEYS[index], 'etag', 'expire')
  local ended = kept[2] and tonumber(kept[2]) <= now
  local is_current = redis.call('HGET', KEYS[2], name) == member:match('^[^/]+')
  if is_current and kept[1] == etag and not ended and redis.call('ZSCORE', KEYS[3], member) then
    settled = settled + 1
    if field == '' then
      redis.call('HSET', KEYS[index], 'emb', embedding)
      redis.call('ZADD', KEYS[3], ARGV[3], member)
    else
      redis.call('HSET', KEYS[index], 'emb', embedding, field, vector)
      redis.call('ZREM', KEYS[3], member)
      redis.call('HDEL', KEYS[5], member)
      if is_reembedding then redis.call('ZADD', KEYS[6], 0, member) end
    end
    redis.call('ZREM', KEYS[4], member)
  end
end
return { 'DONE', settled }
