-- Writes the vectors of the new model, which are not searched yet.
-- model: the new one as JSON. field: of its vectors. Of each memory: namespace_name, member, etag, note (TRUNCATED or WHOLE
-- with a vector; REFUSED and why, or LATE, without), vector.
-- Answers how many; 0 when the re-embedding is over or to another model.
if redis.call('HGET', meta, 'next') ~= model then return 0 end
local settled = 0
for index, memory in ipairs(memories) do
  local key, member, note = memory_keys[index], memory.member, memory.note
  local etag, embedding = unpack(redis.call('HMGET', key, 'etag', 'emb'))
  local is_current = redis.call('HGET', namespaces, memory.namespace_name) == member:match('^[^/]+')
  if is_current and etag == memory.etag and redis.call('ZSCORE', reembedding_todo, member) then
    settled = settled + 1
    local was_truncated = embedding:find('"truncated":true', 1, true) ~= nil
    local is_news = note:sub(1, 7) == 'REFUSED' or note == 'LATE' or (note == 'TRUNCATED') ~= was_truncated
    if is_news then redis.call('HSET', reembedding_notes, member, note) end
    if memory.vector ~= '' then redis.call('HSET', key, field, memory.vector) end
    redis.call('ZREM', reembedding_todo, member)
  end
end
return settled
