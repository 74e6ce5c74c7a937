-- Invalidates entries. names: of the invalidations (see invalidation-library.lua). forget_before: older invalidations are
-- not compared any more. Answers DONE; REPLAY, REUSED, STALE.
local before = replay()
if before then return before end
local wrong = stale()
if wrong and wrong[2] then return wrong end
if not wrong then
  local invalidations = invalidations_of(counters, cache_invalidations)
  local generation = string.format('%.0f', math.max(invalidations.last + 1, tonumber(now)))
  local forgotten = math.min(invalidations.swept, tonumber(forget_before))
  redis.call('ZREMRANGEBYSCORE', cache_invalidations, '-inf', string.format('(%.0f', forgotten))
  for _, name in ipairs(names) do redis.call('ZADD', cache_invalidations, generation, name) end
  if redis.call('ZCARD', cache_invalidations) > tonumber(max_invalidations) then
    redis.call('DEL', cache_invalidations)
    redis.call('ZADD', cache_invalidations, generation, '*')
  end
  redis.call('HSET', counters, 'cache_generation', generation)
  redis.call('HINCRBY', meta, 'changes', 1)
end
record('done')
return { 'DONE' }
