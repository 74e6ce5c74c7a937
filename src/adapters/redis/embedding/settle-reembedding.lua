-- Gives memories the vectors of the new model, which no search sees yet.
-- KEYS: 1 meta, 2 namespaces, 3 reembeddingTodo, 4 reembeddingNotes, then the memories.
-- ARGV: 1 the new model as JSON, 2 field of its vectors, then for each memory: name of its namespace, member, etag,
-- note (TRUNCATED or WHOLE with a vector; REFUSED and why, or LATE, without), vector.
-- Answers how many; none when the re-embedding is over or to another model.
if redis.call('HGET', KEYS[1], 'next') ~= ARGV[1] then return 0 end
local settled = 0
for index = 5, #KEYS do
  local at = 3 + (index - 5) * 5
  local name, member, etag, note, vector = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local kept = redis.call('HMGET', KEYS[index], 'etag', 'emb')
  local is_current = redis.call('HGET', KEYS[2], name) == member:match('^[^/]+')
  if is_current and kept[1] == etag and redis.call('ZSCORE', KEYS[3], member) then
    settled = settled + 1
    local was_truncated = kept[2]:find('"truncated":true', 1, true) ~= nil
    local is_news = note:sub(1, 7) == 'REFUSED' or note == 'LATE' or (note == 'TRUNCATED') ~= was_truncated
    if is_news then redis.call('HSET', KEYS[4], member, note) end
    if vector ~= '' then redis.call('HSET', KEYS[index], ARGV[2], vector) end
    redis.call('ZREM', KEYS[3], member)
  end
end
return settled
