-- KEYS: 1 namespaces, 2 names, 3 waitingAttempts, then a memory for each member. ARGV: members '<number>/<id>'.
-- Answers for each member false when its memory or its namespace is gone, else {name of the namespace, rec, etag,
-- expire, attempts}.
local found = {}
for index, member in ipairs(ARGV) do
  local name = redis.call('HGET', KEYS[2], member:match('^[^/]+'))
  local kept = redis.call('HMGET', KEYS[3 + index], 'rec', 'etag', 'expire')
  found[index] = false
  if kept[1] and name and redis.call('HGET', KEYS[1], name) == member:match('^[^/]+') then
    found[index] = { name, kept[1], kept[2], kept[3], redis.call('HGET', KEYS[3], member) }
  end
end
return found
