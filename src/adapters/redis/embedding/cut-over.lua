-- Cuts over to the new model in one partition: later searches compare the new vectors, and later writes belong to the
-- new model.
-- model: the new one as JSON. memory_keys, memories: the memories that are left to embed, or have a note.
-- left_count, noted_count: how many are left and how many have a note, as the caller has read. stale_field: of the old
-- vectors. refused_due_time: the due time of a memory whose text is refused now.
-- Answers DONE; AGAIN when other memories are left or have a note by now; OVER when there is no re-embedding.
if redis.call('HGET', meta, 'next') ~= model then return { 'OVER' } end
local left = redis.call('ZCARD', reembedding_todo)
if left ~= tonumber(left_count) or redis.call('HLEN', reembedding_notes) ~= tonumber(noted_count) then
  return { 'AGAIN' }
end
for _, memory in ipairs(memories) do
  local is_left = redis.call('ZSCORE', reembedding_todo, memory.member)
  if not is_left and redis.call('HEXISTS', reembedding_notes, memory.member) == 0 then return { 'AGAIN' } end
end
for index, memory in ipairs(memories) do
  local key = memory_keys[index]
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', key, 'emb', memory.embedding)
    if memory.state == 'REFUSED' then redis.call('ZADD', pending, refused_due_time, memory.member) end
    if memory.state == 'PENDING' then
      redis.call('ZADD', pending, now, memory.member)
      redis.call('ZADD', pending_since, now, memory.member)
    end
  end
end
redis.call('HSET', meta, 'model', model, 'generation', generation, 'stale', stale_field)
redis.call('HINCRBY', meta, 'changes', 1)
redis.call('HDEL', meta, 'next')
redis.call('DEL', reembedding_todo, reembedding_notes)
return { 'DONE' }
