-- The cache entries of a namespace. cache_entry_prefix: of their keys.

-- Entries that one call removes at most; a caller that needs more calls again. Removing a vector from its graph blocks
-- Redis for 60 to 600 us.
local STEP = 64

-- Removes an entry and its fields from all keys, also when Redis has already expired the entry itself.
local function remove_entry(id)
  redis.call('UNLINK', cache_entry_prefix .. id)
  redis.call('ZREM', cache_order, id)
  redis.call('ZREM', cache_uses, id)
  redis.call('ZREM', cache_expiry, id)
  local fields = redis.call('HGET', cache_fields, id)
  if not fields then return end
  redis.call('HDEL', cache_fields, id)
  local bytes, scope = fields:match('^(%d+) (%x+) ')
  redis.call('HINCRBY', counters, 'cache_bytes', '-' .. bytes)
  if redis.call('HINCRBY', cache_sizes, scope, -1) <= 0 then redis.call('HDEL', cache_sizes, scope) end
end

-- Removes up to `limit` expired entries; answers how many.
local function sweep(limit)
  local expired = redis.call('ZRANGE', cache_expiry, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
  for _, id in ipairs(expired) do remove_entry(id) end
  return #expired
end

local function has_expired()
  return redis.call('ZCOUNT', cache_expiry, '-inf', now) > 0
end

-- Whether there is an entry that has not expired.
local function is_live(id)
  local expire_time = redis.call('ZSCORE', cache_expiry, id)
  return expire_time and tonumber(expire_time) > tonumber(now)
end
