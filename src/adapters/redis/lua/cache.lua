-- The cache entries of a namespace.
-- KEYS: 4 counters, 5 cacheOrder, 6 cacheUses, 7 cacheEnding, 8 cacheFacts, 9 cacheSizes.
-- ARGV: 6 what the keys of its entries begin with, 7 now.

-- What one call removes at most; who needs more calls again. A vector leaves its graph in 60 to 600 us, for which all
-- of Redis waits.
local STEP = 64

-- Removes an entry with all that is known of it, which is right also where Redis has removed the entry before.
local function remove(id)
  redis.call('UNLINK', ARGV[6] .. id)
  redis.call('ZREM', KEYS[5], id)
  redis.call('ZREM', KEYS[6], id)
  redis.call('ZREM', KEYS[7], id)
  local facts = redis.call('HGET', KEYS[8], id)
  if not facts then return end
  redis.call('HDEL', KEYS[8], id)
  local bytes, scope = facts:match('^(%d+) (%x+) ')
  redis.call('HINCRBY', KEYS[4], 'cache_bytes', '-' .. bytes)
  if redis.call('HINCRBY', KEYS[9], scope, -1) <= 0 then redis.call('HDEL', KEYS[9], scope) end
end

-- Removes entries that have ended, so many at most; answers how many.
local function sweep(limit)
  local ended = redis.call('ZRANGE', KEYS[7], '-inf', ARGV[7], 'BYSCORE', 'LIMIT', 0, limit)
  for _, id in ipairs(ended) do remove(id) end
  return #ended
end

local function has_ended()
  return redis.call('ZCOUNT', KEYS[7], '-inf', ARGV[7]) > 0
end

-- Whether there is an entry, and it has not ended.
local function is_live(id)
  local expire_time = redis.call('ZSCORE', KEYS[7], id)
  return expire_time and tonumber(expire_time) > tonumber(ARGV[7])
end
