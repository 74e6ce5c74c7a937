-- Writes an entry, after evicting entries beyond the bound of the namespace.
-- generation: of the model that the vector is of ('': there is no vector). parts: see invalidation-library.lua. decided_at:
-- see PutCacheEntryOptions ('': absent). fields_before, fields_after: the fields (see entry-fields.ts) around the stamp.
-- Answers DONE, outcome and how many were evicted; AGAIN and how many were evicted when one call did not remove
-- enough; REPLAY and the outcome; INVALIDATED, REUSED, MODEL, STALE, TOO_MANY. The outcome: 'new' or 'replaced', and the id.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before then return before end
local current = redis.call('HGET', meta, 'generation')
-- No generation: this store was emptied, and is not claimed yet.
if not current or (generation ~= '' and generation ~= current) then return { 'MODEL' } end

local invalidations = invalidations_of(counters, cache_invalidations)
if decided_at ~= '' and invalidations.last > tonumber(decided_at) then
  if last_match(invalidations, parts) > tonumber(decided_at) then return { 'INVALIDATED' } end
end

local replaced = is_live(id)
sweep(STEP / 8)

-- An entry with this id, expired or not, is replaced and does not count.
local function excess()
  local others = redis.call('ZCARD', cache_uses)
  if redis.call('ZSCORE', cache_uses, id) then others = others - 1 end
  return others + 1 - tonumber(max_entries)
end

local over = excess()
if over > 0 then
  sweep(math.min(over, STEP))
  over = excess()
end
if over > 0 then
  local more = reclaim()
  over = excess()
  if over > 0 and (more or has_expired()) then return { 'AGAIN', 0 } end
end

-- The entries with the lowest keep scores; of equal ones those that were created first.
local function lowest(count)
  local found = redis.call('ZRANGE', cache_uses, 0, count, 'WITHSCORES')
  local last = found[#found]
  local ids = {}
  for at = 1, #found, 2 do
    if found[at] ~= id and found[at + 1] ~= last then ids[#ids + 1] = found[at] end
  end
  local equal = {}
  for _, other in ipairs(redis.call('ZRANGE', cache_uses, last, last, 'BYSCORE', 'LIMIT', 0, 2 * STEP)) do
    local created = redis.call('ZSCORE', cache_order, other)
    if other ~= id then equal[#equal + 1] = { other, tonumber(created or 0) } end
  end
  table.sort(equal, function(a, b) return a[2] < b[2] end)
  for _, one in ipairs(equal) do
    if #ids < count then ids[#ids + 1] = one[1] end
  end
  return ids
end

local evicted = 0
if over > 0 then
  for _, other in ipairs(lowest(math.min(over, STEP))) do
    remove_entry(other)
    evicted = evicted + 1
  end
  redis.call('HINCRBY', counters, 'evictions', evicted)
  if over > evicted then return { 'AGAIN', evicted } end
end

create_namespace()
local used = redis.call('ZSCORE', cache_uses, id)
if used and tonumber(used) > tonumber(keep_score) then keep_score = used end
-- All fields of the old entry are removed; its vector leaves the index once either way.
remove_entry(id)
local stamp = invalidations.text .. ':' .. parts
local written = { 'scope', scope, 'version', version, 'etag', etag, 'stamp', stamp, 'rec', rec }
if generation ~= '' then
  written[#written + 1] = 'v' .. generation
  written[#written + 1] = vector
end
redis.call('HSET', entry, unpack(written))
-- Redis expires it a minute after its expire time, to allow for its own clock.
local milliseconds = math.max(0, math.ceil(tonumber(expire_time) - tonumber(now))) + 60000
redis.call('PEXPIRE', entry, string.format('%d', milliseconds))
redis.call('ZADD', cache_order, create_time, id)
redis.call('ZADD', cache_uses, keep_score, id)
redis.call('ZADD', cache_expiry, expire_time, id)
redis.call('HSET', cache_fields, id, fields_before .. stamp .. fields_after)
redis.call('HINCRBY', cache_sizes, scope, 1)
redis.call('HINCRBY', counters, 'cache_bytes', bytes)
redis.call('HINCRBY', counters, 'stores', 1)
redis.call('HINCRBY', meta, 'changes', 1)
local outcome = (replaced and 'replaced ' or 'new ') .. id
record(outcome)
return { 'DONE', outcome, evicted }
