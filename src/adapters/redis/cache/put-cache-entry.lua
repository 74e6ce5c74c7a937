-- Writes an entry, and brings the namespace down to its bound before.
-- KEYS: 4 to 9 see lua/cache.lua, 10 request, 11 meta, 12 the entry.
-- ARGV: 6 and 7 see lua/cache.lua, 8 body hash, 9 expire time of the request, 10 id, 11 how many entries there may be,
-- 12 create time, 13 expire time, 14 keep score, 15 facts, 16 bytes, 17 scope, 18 version, 19 etag, 20 record,
-- 21 generation of the model that the vector is of, or nothing, 22 vector.
-- Answers {'DONE', outcome, evicted}; {'AGAIN', evicted} when more has to go than one call removes; REPEAT with the
-- outcome, REUSED, MODEL, STALE, TOO_MANY. The outcome: 'new' or 'replaced', and the id.
local wrong = cannot_create()
if wrong then return wrong end
local before = recall(KEYS[10], ARGV[8], ARGV[7])
if before then return before end
local generation = ARGV[21]
local current = redis.call('HGET', KEYS[11], 'generation')
-- None: nobody has claimed this store, which was emptied a moment ago.
if not current or (generation ~= '' and generation ~= current) then return { 'MODEL' } end

local id = ARGV[10]
local replaced = is_live(id)
sweep(STEP / 8)

-- Whether this one is there, ended or not: it takes no room of another then.
local function excess()
  local others = redis.call('ZCARD', KEYS[6])
  if redis.call('ZSCORE', KEYS[6], id) then others = others - 1 end
  return others + 1 - tonumber(ARGV[11])
end

local over = excess()
if over > 0 then
  sweep(math.min(over, STEP))
  over = excess()
end
if over > 0 and has_ended() then return { 'AGAIN', 0 } end

-- The entries that are worth keeping least; of equal ones those that were made first.
local function least(count)
  local lowest = redis.call('ZRANGE', KEYS[6], 0, count, 'WITHSCORES')
  local last = lowest[#lowest]
  local ids = {}
  for at = 1, #lowest, 2 do
    if lowest[at] ~= id and lowest[at + 1] ~= last then ids[#ids + 1] = lowest[at] end
  end
  local equal = {}
  for _, other in ipairs(redis.call('ZRANGE', KEYS[6], last, last, 'BYSCORE', 'LIMIT', 0, 2 * STEP)) do
    local created = redis.call('ZSCORE', KEYS[5], other)
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
  for _, other in ipairs(least(math.min(over, STEP))) do
    remove(other)
    evicted = evicted + 1
  end
  redis.call('HINCRBY', KEYS[4], 'evictions', evicted)
  if over > evicted then return { 'AGAIN', evicted } end
end

create_namespace()
local keep_score = ARGV[14]
local used = redis.call('ZSCORE', KEYS[6], id)
if used and tonumber(used) > tonumber(keep_score) then keep_score = used end
-- Nothing of the old one may stay; its vector leaves the index once either way.
remove(id)
local fields = { 'scope', ARGV[17], 'version', ARGV[18], 'etag', ARGV[19], 'rec', ARGV[20] }
if generation ~= '' then
  fields[9] = 'v' .. generation
  fields[10] = ARGV[22]
end
redis.call('HSET', KEYS[12], unpack(fields))
-- Redis removes it a minute after its time, whatever its own clock says.
local milliseconds = math.max(0, math.ceil(tonumber(ARGV[13]) - tonumber(ARGV[7]))) + 60000
redis.call('PEXPIRE', KEYS[12], string.format('%d', milliseconds))
redis.call('ZADD', KEYS[5], ARGV[12], id)
redis.call('ZADD', KEYS[6], keep_score, id)
redis.call('ZADD', KEYS[7], ARGV[13], id)
redis.call('HSET', KEYS[8], id, ARGV[15])
redis.call('HINCRBY', KEYS[9], ARGV[17], 1)
redis.call('HINCRBY', KEYS[4], 'cache_bytes', ARGV[16])
redis.call('HINCRBY', KEYS[4], 'stores', 1)
redis.call('HINCRBY', KEYS[11], 'changes', 1)
local outcome = (replaced and 'replaced ' or 'new ') .. id
record(KEYS[10], ARGV[8], ARGV[9], ARGV[7], outcome)
return { 'DONE', outcome, evicted }
