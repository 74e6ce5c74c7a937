-- Adds to the access statistics of existing memories. Of each: id, accesses, time of the last.
-- Answers DONE, STALE.
local wrong = stale()
if wrong then return wrong end
for _, access in ipairs(accesses) do
  if redis.call('EXISTS', memory_prefix .. access.id) == 1 then
    redis.call('HINCRBY', access_counts, access.id, access.count)
    redis.call('ZADD', last_accesses, 'GT', access.time, access.id)
  end
end
return { 'DONE' }
