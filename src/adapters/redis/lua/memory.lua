-- How a memory lies in its namespace (see keys.ts). Memories are written and removed here alone, so that whatever counts
-- and finds them follows. What is counted is added up in `changes` and written once a script: many memories share terms.

-- The keys as memoryKeys in memory-rows.ts lists them, from KEYS[first] on; those that end in ':' are beginnings of keys.
local function memory_keys(first, number)
  local keys = { number = number }
  for at, name in ipairs({
    'meta', 'counters', 'memory', 'order', 'duplicates', 'sizes', 'frequencies', 'positions', 'session', 'access',
    'accessed', 'ending', 'waiting', 'waiting_since', 'waiting_attempts', 'reembedding_todo',
  }) do
    keys[name] = KEYS[first + at - 1]
  end
  return keys
end

-- What there is to write of a memory, as memoryArguments in memory-rows.ts lists it, from ARGV[first] on; and where the
-- next one begins. What is absent is ''.
local function memory_at(first)
  local memory = {}
  local names = {
    'id', 'tok', 'terms', 'created', 'event', 'importance', 'vector', 'rec', 'emb', 'etag', 'dup', 'expire', 'session',
    'waits',
  }
  for at, name in ipairs(names) do memory[name] = ARGV[first + at - 1] end
  return memory, first + #names
end

-- Nil when the vectors are of the generation of the model that the caller knows.
local function other_model(keys, generation)
  if redis.call('HGET', keys.meta, 'generation') == generation then return nil end
  return { 'MODEL' }
end

local function no_changes()
  return { memories = 0, terms = 0, frequencies = {}, sizes = {}, made = 0 }
end

local function count(changes, tokens, terms, by)
  changes.memories = changes.memories + by
  changes.made = changes.made + 1
  local known = {}
  for term in terms:gmatch('[^ ]+') do
    changes.terms = changes.terms + by
    if not known[term] then
      known[term] = true
      changes.frequencies[term] = (changes.frequencies[term] or 0) + by
    end
  end
  -- Those that isCounted in memory-tokens.ts names.
  for token in tokens:gmatch('[^,]+') do
    if token:find('^[nxugs]') then changes.sizes[token] = (changes.sizes[token] or 0) + by end
  end
end

-- Fields that one command takes: far fewer than Lua can hand over.
local FIELDS = 1000

-- A long text has thousands of terms, and a command for each would take three times as long as its place in the index.
local function add(key, changes)
  local fields = {}
  for field, by in pairs(changes) do
    if by ~= 0 then fields[#fields + 1] = field end
  end
  for first = 1, #fields, FIELDS do
    local last = math.min(first + FIELDS - 1, #fields)
    local values = redis.call('HMGET', key, unpack(fields, first, last))
    local kept, gone = {}, {}
    for at = first, last do
      local value = (tonumber(values[at - first + 1]) or 0) + changes[fields[at]]
      if value > 0 then
        kept[#kept + 1] = fields[at]
        kept[#kept + 1] = value
      else
        gone[#gone + 1] = fields[at]
      end
    end
    if #kept > 0 then redis.call('HSET', key, unpack(kept)) end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  end
end

local function write_changes(keys, changes)
  add(keys.counters, { memories = changes.memories, terms = changes.terms })
  add(keys.frequencies, changes.frequencies)
  add(keys.sizes, changes.sizes)
  -- By which it is noticed that an older state was restored: see store-identity.ts.
  if changes.made > 0 then redis.call('HINCRBY', keys.meta, 'changes', changes.made) end
end

-- The etag of a memory that is there and has not ended; nil for others.
local function etag_of(keys, id, now)
  local etag, expire = unpack(redis.call('HMGET', keys.memory .. id, 'etag', 'expire'))
  if not etag or (expire and tonumber(expire) <= tonumber(now)) then return nil end
  return etag
end

local function stop_waiting(keys, id)
  local member = keys.number .. '/' .. id
  redis.call('ZREM', keys.waiting, member)
  redis.call('ZREM', keys.waiting_since, member)
  redis.call('HDEL', keys.waiting_attempts, member)
end

-- Later than any clock says: what is refused is not due until somebody says so; in the order of refusals. See waiting.ts.
local NEVER = 2 ^ 52

local function wait_for_vector(keys, id, is_refused, now)
  local member = keys.number .. '/' .. id
  local due = is_refused and string.format('%.0f', NEVER + tonumber(now)) or now
  redis.call('ZADD', keys.waiting, due, member)
  if not is_refused then redis.call('ZADD', keys.waiting_since, now, member) end
end

-- Writes a memory that is not there. `position` is that in its session, 0 without one.
local function write_memory(keys, changes, memory, generation, position, now)
  local fields = {
    'tok', memory.tok, 'terms', memory.terms, 'created', memory.created, 'importance', memory.importance,
    'rec', memory.rec, 'emb', memory.emb, 'etag', memory.etag, 'pos', string.format('%d', position),
    -- What a search reads of each candidate, as one field: see memory-facts.ts.
    'facts', memory.created .. ' ' .. memory.event .. ' ' .. memory.importance .. ' ' .. memory.expire,
  }
  local function set(field, value)
    if value == '' then return end
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  set('event', memory.event)
  set('expire', memory.expire)
  set('dup', memory.dup)
  set('v' .. generation, memory.vector)
  -- In one command: each one indexes the vector again.
  redis.call('HSET', keys.memory .. memory.id, unpack(fields))
  redis.call('ZADD', keys.order, memory.created, memory.id)
  if memory.dup ~= '' then redis.call('ZADD', keys.duplicates, 0, memory.dup) end
  if memory.expire ~= '' then redis.call('ZADD', keys.ending, memory.expire, keys.number .. '/' .. memory.id) end
  if position > 0 then redis.call('ZADD', keys.session .. memory.session, position, memory.id) end
  if memory.vector ~= '' and redis.call('HEXISTS', keys.meta, 'next') == 1 then
    redis.call('ZADD', keys.reembedding_todo, 0, keys.number .. '/' .. memory.id)
  end
  if memory.waits ~= '' then wait_for_vector(keys, memory.id, memory.waits == 'REFUSED', now) end
  count(changes, memory.tok, memory.terms, 1)
end

-- Writes what a duplicate changes of a memory that is there: see mergeDuplicate. Its terms and vectors stay, and no token
-- that is counted is another.
local function merge_memory(keys, changes, merged)
  local key, member = keys.memory .. merged.id, keys.number .. '/' .. merged.id
  local created, event, importance = unpack(redis.call('HMGET', key, 'created', 'event', 'importance'))
  local fields = {
    'tok', merged.tok, 'rec', merged.rec, 'etag', merged.etag,
    'facts', created .. ' ' .. (event or '') .. ' ' .. importance .. ' ' .. merged.expire,
  }
  if merged.expire ~= '' then
    fields[#fields + 1] = 'expire'
    fields[#fields + 1] = merged.expire
    redis.call('ZADD', keys.ending, merged.expire, member)
  else
    redis.call('HDEL', key, 'expire')
    redis.call('ZREM', keys.ending, member)
  end
  redis.call('HSET', key, unpack(fields))
  changes.made = changes.made + 1
end

-- Takes a memory whose new state is written next. False when it is not there.
local function take_memory(keys, changes, id)
  redis.call('ZREM', keys.ending, keys.number .. '/' .. id)
  stop_waiting(keys, id)
  local key = keys.memory .. id
  if redis.call('EXISTS', key) == 0 then return false end
  local tok, terms, dup, position = unpack(redis.call('HMGET', key, 'tok', 'terms', 'dup', 'pos'))
  tok = tok or ''
  redis.call('DEL', key)
  redis.call('ZREM', keys.order, id)
  if dup then redis.call('ZREM', keys.duplicates, dup) end
  local session = (',' .. tok):match(',(s%x+)')
  if session and position ~= '0' then redis.call('ZREM', keys.session .. session, id) end
  count(changes, tok, terms or '', -1)
  return true
end

-- Takes a memory for good. False when it is not there.
local function remove_memory(keys, changes, id)
  redis.call('HDEL', keys.access, id)
  redis.call('ZREM', keys.accessed, id)
  return take_memory(keys, changes, id)
end
