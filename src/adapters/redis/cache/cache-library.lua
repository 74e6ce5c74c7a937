-- The cache entries of a namespace. cache_entry_prefix: of their keys.

-- Entries that one call removes at most; a caller that needs more calls again. Removing a vector from its graph blocks
-- Redis for 60 to 600 us.
local STEP = 64

-- The key of the scores of an order (see ScoreOrder in eviction.ts).
local function scores_of(order)
  return order == 'lru' and cache_uses or cache_uses .. ':' .. order
end

-- Order and number of uses of an entry; nothing for one that a version wrote which knew one order only.
local function usage_of(id)
  local usage = redis.call('HGET', cache_usage, id)
  if not usage then return 'lru' end
  return usage:match('^(%S+) (%S+) ?(.*)$')
end

-- Remembers the uses of an entry that is not stored (see rememberedIds in eviction.ts).
local function remember(id, uses)
  redis.call('HSET', cache_usage, id, '- ' .. uses)
  redis.call('ZADD', cache_remembered, redis.call('HINCRBY', counters, 'cache_sequence', 1), id)
end

-- Whether the uses of an entry of this order are remembered; '-': they are.
local function is_remembered(order)
  return order == '-' or order:sub(1, 8) == 'adaptive'
end

-- What this call has removed, by reason; with_removed adds it to the answer.
local removed = { expired = 0, invalidated = 0 }

local function with_removed(answer)
  answer[#answer + 1] = removed.expired
  answer[#answer + 1] = removed.invalidated
  return answer
end

-- Counts an entry that is removed after it was invalidated or has expired.
local function count_removal(id, fields)
  local expire_time = redis.call('ZSCORE', cache_expiry, id)
  if not expire_time then return end
  local stamp = (fields or ''):match('^%d+ %x+ (%S*) ')
  if is_invalidated(invalidations_of(counters, cache_invalidations), stamp) then
    redis.call('HINCRBY', counters, 'removed:invalidated', 1)
    removed.invalidated = removed.invalidated + 1
  elseif tonumber(expire_time) <= tonumber(now) then
    redis.call('HINCRBY', counters, 'removed:expired', 1)
    removed.expired = removed.expired + 1
  end
end

-- Removes an entry and its fields from all keys, also when Redis has already expired the entry itself. may_return: its
-- uses are remembered where its order admits by uses.
local function remove_entry(id, may_return)
  local fields = redis.call('HGET', cache_fields, id)
  count_removal(id, fields)
  local order, uses = usage_of(id)
  redis.call('UNLINK', cache_entry_prefix .. id)
  redis.call('ZREM', cache_order, id)
  redis.call('ZREM', cache_expiry, id)
  redis.call('ZREM', cache_refreshing, id)
  if order ~= '-' then
    redis.call('ZREM', scores_of(order), id)
    redis.call('HDEL', cache_usage, id)
    if may_return and is_remembered(order) then remember(id, uses) end
  end
  if not fields then return end
  redis.call('HDEL', cache_fields, id)
  local bytes, scope = fields:match('^(%d+) (%x+) ')
  redis.call('HINCRBY', counters, 'cache_bytes', '-' .. bytes)
  if redis.call('HINCRBY', cache_sizes, scope, -1) <= 0 then redis.call('HDEL', cache_sizes, scope) end
end

-- Removes up to `limit` expired entries; answers how many.
local function sweep(limit)
  local expired = redis.call('ZRANGE', cache_expiry, '-inf', now, 'BYSCORE', 'LIMIT', 0, limit)
  for _, id in ipairs(expired) do remove_entry(id, true) end
  return #expired
end

-- Removes invalidated entries in one step of a pass over all entries; answers whether there may be more. A scan returns
-- each entry that is there for the whole pass, whatever is put and removed meanwhile.
local function reclaim()
  local invalidations = invalidations_of(counters, cache_invalidations)
  if invalidations.last == invalidations.swept then return false end
  local pass = redis.call('HMGET', counters, 'cache_pass', 'cache_cursor')
  local target, cursor = pass[1] or invalidations.text, pass[2] or '0'
  local scanned = redis.call('HSCAN', cache_fields, cursor, 'COUNT', STEP / 2)
  local page = scanned[2]
  for at = 1, #page, 2 do
    if is_invalidated(invalidations, page[at + 1]:match('^%d+ %x+ (%S*) ')) then
      remove_entry(page[at], true)
    end
  end
  if scanned[1] ~= '0' then
    redis.call('HSET', counters, 'cache_pass', target, 'cache_cursor', scanned[1])
    return true
  end
  redis.call('HSET', counters, 'cache_swept', target)
  redis.call('HDEL', counters, 'cache_pass', 'cache_cursor')
  return target ~= invalidations.text
end

local function has_expired()
  return redis.call('ZCOUNT', cache_expiry, '-inf', now) > 0
end

-- Whether there is an entry that has not expired and is not invalidated.
local function is_live(id)
  local expire_time = redis.call('ZSCORE', cache_expiry, id)
  if not expire_time or tonumber(expire_time) <= tonumber(now) then return false end
  local stamp = redis.call('HGET', cache_entry_prefix .. id, 'stamp')
  return not is_invalidated(invalidations_of(counters, cache_invalidations), stamp)
end
