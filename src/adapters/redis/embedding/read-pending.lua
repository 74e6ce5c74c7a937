-- Reads memories for their embedding: members '<namespace id>/<id>', and the key of each.
-- Answers for each member false when its memory or its namespace was deleted, else {name of the namespace, rec, etag,
-- expire, attempts}.
local found = {}
for index, member in ipairs(members) do
  local namespace_id = member:match('^[^/]+')
  local name = redis.call('HGET', namespace_names, namespace_id)
  local rec, etag, expire = unpack(redis.call('HMGET', memory_keys[index], 'rec', 'etag', 'expire'))
  found[index] = false
  if rec and name and redis.call('HGET', namespaces, name) == namespace_id then
    found[index] = { name, rec, etag, expire, redis.call('HGET', pending_attempts, member) }
  end
end
return found
