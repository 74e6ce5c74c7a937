-- A step of removing what a deleted namespace has left behind.
-- KEYS: 1 names, 2 deleted, 3 what keys of cache entries begin with, 4 cacheOrder, from 5 on those of memories, behind
-- them the other keys of the namespace. ARGV: 1 number, 2 how many to remove at most, 3 where the other keys begin.
-- Answers MORE, or DONE when nothing is left.
local number, left = ARGV[1], tonumber(ARGV[2])
if redis.call('SISMEMBER', KEYS[2], number) == 0 then return { 'DONE' } end
local keys = memory_keys(5, number)

local function first_of(order)
  if left < 1 then return {} end
  return redis.call('ZRANGE', order, 0, left - 1)
end

for _, id in ipairs(first_of(keys.order)) do
  redis.call('ZREM', keys.ending, number .. '/' .. id)
  stop_waiting(keys, id)
  redis.call('DEL', keys.memory .. id)
  redis.call('ZREM', keys.order, id)
  left = left - 1
end
for _, id in ipairs(first_of(KEYS[4])) do
  redis.call('DEL', KEYS[3] .. id)
  redis.call('ZREM', KEYS[4], id)
  left = left - 1
end
for _, session in ipairs(redis.call('HRANDFIELD', keys.positions, left)) do
  redis.call('UNLINK', keys.session .. session)
  redis.call('HDEL', keys.positions, session)
  left = left - 1
end
if left < 1 then return { 'MORE' } end
for at = tonumber(ARGV[3]), #KEYS do redis.call('UNLINK', KEYS[at]) end
redis.call('HDEL', KEYS[1], number)
redis.call('SREM', KEYS[2], number)
return { 'DONE' }
