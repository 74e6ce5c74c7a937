-- Writes an entry, after evicting entries beyond the bounds of the namespace; or refuses it.
-- generation: of the model that the vector is of ('': there is no vector). parts: see invalidation-library.lua. decided_at:
-- see PutCacheEntryOptions ('': absent). fields_before, fields_after: the fields (see entry-fields.ts) around the stamp.
-- max_bytes: '' where there is no bound. rule, cost, remembered_ids: see eviction.ts. is_admitted: '1' when an earlier call
-- has evicted entries for this one.
-- Answers DONE, outcome and how many were evicted; AGAIN and how many were evicted when one call did not remove
-- enough, both with how many expired and invalidated ones were removed; REPLAY and the outcome; INVALIDATED, REUSED, MODEL,
-- STALE, TOO_MANY. The outcome: 'new', 'replaced', 'not_admitted' or 'too_large', and the id.
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

local rule_text = rule
rule = cjson.decode(rule)
max_entries, max_bytes, bytes = tonumber(max_entries), tonumber(max_bytes), tonumber(bytes)
local evicted = 0

local function done(outcome)
  redis.call('HINCRBY', meta, 'changes', 1)
  record(outcome .. ' ' .. id)
  return with_removed({ 'DONE', outcome .. ' ' .. id, evicted })
end

create_namespace()
if max_bytes and bytes > max_bytes then return done('too_large') end
redis.call('HSET', counters, 'cache_rule', rule_text)

local usage = read_usage(id, tonumber(default_cost)) or { order = '-', uses = 0, last_use = 0 }
local replaced = is_live(id)
-- Of one that has expired or is invalidated counts what a sweep would have remembered.
if not replaced and not is_remembered(usage.order) then usage.uses, usage.last_use = 0, 0 end
usage.uses = math.min(tonumber(max_uses), usage.uses + 1)
usage.last_use = math.max(usage.last_use, tonumber(now))
usage.cost = tonumber(cost)
sweep(STEP / 8)

-- An entry with this id, live or not, is replaced and does not count.
local others, other_bytes
local function measure()
  others = redis.call('ZCARD', cache_order) - (redis.call('ZSCORE', cache_order, id) and 1 or 0)
  if max_bytes then other_bytes = tonumber(redis.call('HGET', counters, 'cache_bytes') or 0) - bytes_of(id) end
end
measure()

-- Whether the other entries and `new` of this one, 0 or 1, are beyond a bound.
local function is_over(new)
  return others + new > max_entries or (max_bytes and other_bytes + new * bytes > max_bytes)
end

if is_over(1) then
  sweep(STEP)
  local more = reclaim()
  measure()
  if is_over(1) and (more or has_expired()) then return with_removed({ 'AGAIN', 0 }) end
end

-- Of entries with one score (the first 32 of them), the one with the earliest last use, then create time.
local function first_of(scores, score)
  local first, first_use, first_created
  local equal = redis.call('ZRANGE', scores, score, score, 'BYSCORE', 'LIMIT', 0, STEP / 2)
  for at, usage_text in ipairs(redis.call('HMGET', cache_usage, unpack(equal))) do
    local last_use = tonumber(usage_text and usage_text:match('^%S+ %S+ (%S+)') or score)
    if equal[at] ~= id and (not first or last_use <= first_use) then
      local created = tonumber(redis.call('ZSCORE', cache_order, equal[at]) or 0)
      if not first or last_use < first_use or created < first_created then
        first, first_use, first_created = equal[at], last_use, created
      end
    end
  end
  return first
end

-- The entry with the lowest score of an order, and the score; never the one that is put.
local function lowest_in(order)
  local scores = scores_of(order)
  local found = redis.call('ZRANGE', scores, 0, 2, 'WITHSCORES')
  local at = found[1] == id and 3 or 1
  local score = found[at + 1]
  if not score then return nil end
  if found[at + 3] ~= score then return found[at], score end
  return first_of(scores, score), score
end

-- Entries that are scored by another rule than the current one come first.
local function lowest()
  if redis.call('ZCARD', scores_of(rule.order)) < redis.call('ZCARD', cache_order) then
    for _, order in ipairs(other_orders) do
      local other = lowest_in(order)
      if other then return other end
    end
  end
  return lowest_in(rule.order)
end

local clock = clock_of_scores()
local function advance(score)
  if rule.worth == 'none' or not score or tonumber(score) <= clock then return end
  clock = tonumber(score)
  redis.call('HSET', counters, 'cache_clock', exactly(clock))
end

-- Evicts until the bounds allow `new` more; false when that takes another call.
local function make_room(new)
  while is_over(new) do
    if evicted == STEP then return false end
    local other, score = lowest()
    remove_entry(other, true)
    measure()
    advance(score)
    evicted = evicted + 1
    redis.call('HINCRBY', counters, 'evictions', 1)
  end
  return true
end

-- Whether the entry with the lowest score keeps its place; it loses uses by that.
local function is_refused()
  if rule.worth == 'none' or is_admitted == '1' or replaced or not is_over(1) then return false end
  local other, score = lowest()
  local theirs = read_usage(other, 0)
  if theirs.order ~= rule.order then return false end
  local fields = scored_fields(rule, other)
  if worth_of(rule, usage, bytes) >= worth_of(rule, theirs, fields.bytes) then return false end
  advance(score)
  theirs.uses = theirs.uses / 2
  write_score(rule, other, theirs, keep_score(rule, theirs, fields, clock))
  return true
end

-- Keeps the latest of the remembered ids.
local function forget_others()
  local excess = math.min(2 * STEP, redis.call('ZCARD', cache_remembered) - tonumber(remembered_ids))
  if excess <= 0 then return end
  local forgotten = redis.call('ZPOPMIN', cache_remembered, excess)
  for at = 1, #forgotten, 2 do redis.call('HDEL', cache_usage, forgotten[at]) end
end

-- A bound that was lowered holds whether the entry is admitted or not.
if not make_room(0) then return with_removed({ 'AGAIN', evicted }) end
if is_refused() then
  -- An entry with this id that is not live gives way too: its uses are remembered once.
  remove_entry(id)
  remember(id, exactly(usage.uses))
  forget_others()
  return done('not_admitted')
end
if not make_room(1) then return with_removed({ 'AGAIN', evicted }) end

-- All fields of the old entry are removed; its vector leaves the index once either way.
remove_entry(id)
redis.call('ZREM', cache_remembered, id)
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
redis.call('ZADD', cache_expiry, expire_time, id)
redis.call('HSET', cache_fields, id, fields_before .. stamp .. fields_after)
redis.call('HINCRBY', cache_sizes, scope, 1)
redis.call('HINCRBY', counters, 'cache_bytes', bytes)
redis.call('HINCRBY', counters, 'stores', 1)
local scored = { bytes = bytes, created = tonumber(create_time), expires = tonumber(expire_time) }
write_score(rule, id, usage, keep_score(rule, usage, scored, clock))
forget_others()
return done(replaced and 'replaced' or 'new')
