-- Postpones pending memories that still have the given etag. Of each: namespace_name, member, etag, due_time.
for index, memory in ipairs(memories) do
  local key, member = memory_keys[index], memory.member
  local is_current = redis.call('HGET', namespaces, memory.namespace_name) == member:match('^[^/]+')
  if is_current and redis.call('HGET', key, 'etag') == memory.etag and redis.call('ZSCORE', pending, member) then
    redis.call('ZADD', pending, memory.due_time, member)
    redis.call('HINCRBY', pending_attempts, member, 1)
  end
end
