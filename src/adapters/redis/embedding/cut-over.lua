-- The change to the new model, in one partition: from now on its searches compare the new vectors, and its writes
-- belong to the new model.
-- KEYS: 1 meta, 2 reembeddingTodo, 3 reembeddingNotes, 4 waiting, 5 waitingSince, then the memories that are left or
-- have a note.
-- ARGV: 1 the new model as JSON, 2 its generation, 3 now, 4 the score of what is refused now, 5 the field of the old vectors,
-- 6 how many memories are left, 7 how many have a note, then for each memory: member, embedding as JSON, state.
-- Answers DONE; AGAIN when others are left by now, or have a note; OVER when there is nothing to change.
if redis.call('HGET', KEYS[1], 'next') ~= ARGV[1] then return { 'OVER' } end
if redis.call('ZCARD', KEYS[2]) ~= tonumber(ARGV[6]) or redis.call('HLEN', KEYS[3]) ~= tonumber(ARGV[7]) then
  return { 'AGAIN' }
end
for at = 8, #ARGV, 3 do
  local is_left = redis.call('ZSCORE', KEYS[2], ARGV[at])
  if not is_left and redis.call('HEXISTS', KEYS[3], ARGV[at]) == 0 then return { 'AGAIN' } end
end
for index = 6, #KEYS do
  local at = 8 + (index - 6) * 3
  local member, embedding, state = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if redis.call('EXISTS', KEYS[index]) == 1 then
    redis.call('HSET', KEYS[index], 'emb', embedding)
    if state == 'REFUSED' then redis.call('ZADD', KEYS[4], ARGV[4], member) end
    if state == 'PENDING' then
      redis.call('ZADD', KEYS[4], ARGV[3], member)
      redis.call('ZADD', KEYS[5], ARGV[3], member)
    end
  end
end
redis.call('HSET', KEYS[1], 'model', ARGV[1], 'generation', ARGV[2], 'stale', ARGV[5])
redis.call('HINCRBY', KEYS[1], 'changes', 1)
redis.call('HDEL', KEYS[1], 'next')
redis.call('DEL', KEYS[2], KEYS[3])
return { 'DONE' }
