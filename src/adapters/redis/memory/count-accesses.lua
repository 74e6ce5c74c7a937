-- Adds to the statistics of the memories that are there.
-- KEYS: from 4 on those of memories. ARGV: from 6 on an id, its accesses and the time of the last, of each.
local wrong = stale()
if wrong then return wrong end
local keys = memory_keys(4, ARGV[2])
for at = 6, #ARGV, 3 do
  local id = ARGV[at]
  if redis.call('EXISTS', keys.memory .. id) == 1 then
    redis.call('HINCRBY', keys.access, id, ARGV[at + 1])
    redis.call('ZADD', keys.accessed, 'GT', ARGV[at + 2], id)
  end
end
return { 'DONE' }
