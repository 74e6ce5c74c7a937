-- Makes up to `limit` memories with a refused text due again. Answers how many.
-- least_due_time: the least due time of a refused text.
local members = redis.call('ZRANGE', pending, least_due_time, '+inf', 'BYSCORE', 'LIMIT', 0, limit)
for _, member in ipairs(members) do
  redis.call('ZADD', pending, 0, member)
end
return #members
