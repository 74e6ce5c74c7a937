-- Puts memories off that wait for their vectors.
-- KEYS: 1 namespaces, 2 waiting, 3 waitingAttempts, then the memories. ARGV: for each memory: name of its namespace,
-- member, etag, when it is due.
for index = 4, #KEYS do
  local at = 1 + (index - 4) * 4
  local name, member, etag, due_time = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local is_current = redis.call('HGET', KEYS[1], name) == member:match('^[^/]+')
  if is_current and redis.call('HGET', KEYS[index], 'etag') == etag and redis.call('ZSCORE', KEYS[2], member) then
    redis.call('ZADD', KEYS[2], due_time, member)
    redis.call('HINCRBY', KEYS[3], member, 1)
  end
end
