-- Makes due again what is put off because its text was refused, a bounded part of it. Answers how many.
-- KEYS: 1 waiting. ARGV: 1 the least score of what is refused, 2 how many at most.
local members = redis.call('ZRANGE', KEYS[1], ARGV[1], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, member in ipairs(members) do
  redis.call('ZADD', KEYS[1], 0, member)
end
return #members
