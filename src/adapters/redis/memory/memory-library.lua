-- The stored form of a memory (see keys.ts). Only these functions write and remove memories, so that all counters and
-- indexes follow. Counts are summed up in `changes` and written once per script (write_changes in feed-library.lua): many
-- memories share terms.
-- Names that end in _prefix are key prefixes.

-- Nil when the vectors are of the generation that the caller has.
local function other_model(generation)
  if redis.call('HGET', meta, 'generation') == generation then return nil end
  return { 'MODEL' }
end

local function no_changes()
  return { memories = 0, terms = 0, frequencies = {}, sizes = {}, made = 0, feed = {}, users = {} }
end

-- Notes a change for the feed. kind: its first letter.
local function note(changes, kind, id)
  changes.feed[#changes.feed + 1] = kind .. id
end

local function count_tokens(changes, tokens, by)
  -- See isCounted in tokens.ts.
  for token in tokens:gmatch('[^,]+') do
    if token:find('^[nxugs]') then changes.sizes[token] = (changes.sizes[token] or 0) + by end
  end
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
  count_tokens(changes, tokens, by)
end

-- Fields of one command: far fewer than the arguments that Lua can pass.
local FIELDS = 1000

-- A long text has thousands of terms, and a command for each would take three times as long as indexing it.
local function add(key, changes)
  local fields = {}
  for field, by in pairs(changes) do
    if by ~= 0 then fields[#fields + 1] = field end
  end
  for first = 1, #fields, FIELDS do
    local last = math.min(first + FIELDS - 1, #fields)
    local values = redis.call('HMGET', key, unpack(fields, first, last))
    local written, removed = {}, {}
    for at = first, last do
      local value = (tonumber(values[at - first + 1]) or 0) + changes[fields[at]]
      if value > 0 then
        written[#written + 1] = fields[at]
        written[#written + 1] = value
      else
        removed[#removed + 1] = fields[at]
      end
    end
    if #written > 0 then redis.call('HSET', key, unpack(written)) end
    if #removed > 0 then redis.call('HDEL', key, unpack(removed)) end
  end
end

-- The memories of the partition, as plans of searches need them. Counted from the time when a start has set it.
local function count_indexed(by)
  if by ~= 0 and redis.call('HEXISTS', meta, 'memories') == 1 then redis.call('HINCRBY', meta, 'memories', by) end
end

-- Counts the write of a memory of this user by a call, for write_changed_scopes.
local function count_change(changes, user)
  changes.users[user] = (changes.users[user] or 0) + 1
end

-- The users whose memories have changed since their last compaction.
local function write_changed_scopes(changes, now)
  for user, by in pairs(changes.users) do
    local member = namespace_id .. '/' .. user
    redis.call('ZADD', changed_scopes, 'NX', now, member)
    redis.call('ZINCRBY', changed_scope_counts, by, member)
  end
end

-- The etag of an existing, unexpired memory; else nil.
local function etag_of(id, now)
  local etag, expire = unpack(redis.call('HMGET', memory_prefix .. id, 'etag', 'expire'))
  if not etag or (expire and tonumber(expire) <= tonumber(now)) then return nil end
  return etag
end

local function remove_pending(id)
  local member = namespace_id .. '/' .. id
  redis.call('ZREM', pending, member)
  redis.call('ZREM', pending_since, member)
  redis.call('HDEL', pending_attempts, member)
end

-- Beyond any clock: a refused text is not due until an operator retries it; in order of refusal. See due-time.ts.
local NEVER = 2 ^ 52

local function add_pending(id, is_refused, now)
  local member = namespace_id .. '/' .. id
  local due = is_refused and string.format('%.0f', NEVER + tonumber(now)) or now
  redis.call('ZADD', pending, due, member)
  if not is_refused then redis.call('ZADD', pending_since, now, member) end
end

-- The members of an ACTIVE memory in `duplicates`: by its duplicate key and by its text key, which is nil for a memory that
-- an earlier version has written. `dup` is the first.
local function add_duplicate(id, dup, same_text)
  redis.call('ZADD', duplicates, 0, dup)
  if same_text then redis.call('ZADD', duplicates, 0, same_text .. dup:sub(-18 - #id)) end
end

local function remove_duplicate(id, dup, same_text)
  redis.call('ZREM', duplicates, dup)
  if same_text then redis.call('ZREM', duplicates, same_text .. dup:sub(-18 - #id)) end
end

-- The fields that as_of filters by: see historyInput in rows.ts. Absent ones are not written, because the index refuses an
-- empty number.
local function history_of(memory)
  local fields = {}
  for field, value in pairs({ ended = memory.ended, from = memory.valid_from, ['until'] = memory.valid_until }) do
    if value ~= '' then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
  end
  return fields
end

local function set_history(key, memory)
  local fields = history_of(memory)
  if #fields > 0 then redis.call('HSET', key, unpack(fields)) end
end

-- Writes a memory. `position`: in its session, 0 without one. `revision`: the number of the one that it replaces; nil for a new
-- memory.
local function write_memory(changes, memory, generation, position, now, revision)
  local fields = {
    'tok', memory.tok, 'terms', memory.terms, 'created', memory.created, 'importance', memory.importance,
    'rec', memory.rec, 'emb', memory.emb, 'etag', memory.etag, 'pos', string.format('%d', position),
    -- The candidate fields, as one field: see candidate-fields.ts.
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
  set('text', memory.same_text)
  set('rev', revision or '')
  for _, value in ipairs(history_of(memory)) do fields[#fields + 1] = value end
  set('v' .. generation, memory.vector)
  -- In one command, because each write indexes the vector again.
  redis.call('HSET', memory_prefix .. memory.id, unpack(fields))
  redis.call('ZADD', memory_order, memory.created, memory.id)
  if memory.dup ~= '' then add_duplicate(memory.id, memory.dup, memory.same_text) end
  if memory.expire ~= '' then redis.call('ZADD', memory_expiry, memory.expire, namespace_id .. '/' .. memory.id) end
  if position > 0 then redis.call('ZADD', session_prefix .. memory.session, position, memory.id) end
  if memory.vector ~= '' and redis.call('HEXISTS', meta, 'next') == 1 then
    redis.call('ZADD', reembedding_todo, 0, namespace_id .. '/' .. memory.id)
  end
  if memory.pending ~= '' then add_pending(memory.id, memory.pending == 'REFUSED', now) end
  count(changes, memory.tok, memory.terms, 1)
end

-- Merges a duplicate into an existing memory: see mergeDuplicate. Its terms, vectors and counted tokens do not change.
-- `revision`: the number of the one that the merged memory replaces.
local function merge_memory(changes, merged, revision)
  local key, member = memory_prefix .. merged.id, namespace_id .. '/' .. merged.id
  local created, event, importance = unpack(redis.call('HMGET', key, 'created', 'event', 'importance'))
  local fields = {
    'tok', merged.tok, 'rec', merged.rec, 'etag', merged.etag, 'rev', revision,
    'facts', created .. ' ' .. (event or '') .. ' ' .. importance .. ' ' .. merged.expire,
  }
  if merged.expire ~= '' then
    fields[#fields + 1] = 'expire'
    fields[#fields + 1] = merged.expire
    redis.call('ZADD', memory_expiry, merged.expire, member)
  else
    redis.call('HDEL', key, 'expire')
    redis.call('ZREM', memory_expiry, member)
  end
  redis.call('HSET', key, unpack(fields))
  changes.made = changes.made + 1
end

-- Writes a superseded memory: see superseded in supersession.ts. Its terms and vectors do not change. `revision`: the number of
-- the one that it replaces.
local function supersede_memory(changes, memory, revision)
  local key = memory_prefix .. memory.id
  local tok, dup, same_text = unpack(redis.call('HMGET', key, 'tok', 'dup', 'text'))
  count_tokens(changes, tok, -1)
  count_tokens(changes, memory.tok, 1)
  local state = { 'tok', memory.tok, 'rec', memory.rec, 'etag', memory.etag, 'rev', revision, 'ended', memory.ended }
  redis.call('HSET', key, unpack(state))
  if dup then
    redis.call('HDEL', key, 'dup', 'text')
    remove_duplicate(memory.id, dup, same_text)
  end
  changes.made = changes.made + 1
end

-- Writes another record of a memory: see MemoryChanges.put. Its terms, vectors and position do not change. dup, same_text: '' unless
-- it is ACTIVE; ended: '' if it is. `revision`: the number of the one that it replaces. moved: the letter of its change in the
-- feed, when that changes its state.
local function put_memory(changes, memory, revision)
  local key, member = memory_prefix .. memory.id, namespace_id .. '/' .. memory.id
  local stored = redis.call('HMGET', key, 'tok', 'dup', 'text', 'created', 'event', 'expire', 'ended')
  local tok, dup, same_text, created, event, expire, ended = unpack(stored)
  count_tokens(changes, tok, -1)
  count_tokens(changes, memory.tok, 1)
  local fields = {
    'tok', memory.tok, 'rec', memory.rec, 'etag', memory.etag, 'importance', memory.importance, 'rev', revision,
    'facts', created .. ' ' .. (event or '') .. ' ' .. memory.importance .. ' ' .. memory.expire,
  }
  local gone = {}
  local function put(field, value, before)
    if value ~= '' then
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    elseif before then
      gone[#gone + 1] = field
    end
  end
  put('expire', memory.expire, expire)
  put('ended', memory.ended, ended)
  if memory.dup == '' or not dup then
    put('dup', memory.dup, dup)
    put('text', memory.same_text, same_text)
  end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  redis.call('HSET', key, unpack(fields))
  if memory.expire ~= '' then
    redis.call('ZADD', memory_expiry, memory.expire, member)
  elseif expire then
    redis.call('ZREM', memory_expiry, member)
  end
  if dup and memory.dup == '' then
    remove_duplicate(memory.id, dup, same_text)
  elseif not dup and memory.dup ~= '' then
    add_duplicate(memory.id, memory.dup, memory.same_text)
  end
  local function state(tokens) return (',' .. tokens):match(',(x%x+)') end
  note(changes, state(tok) == state(memory.tok) and 'U' or memory.moved, memory.id)
  changes.made = changes.made + 1
end

-- Removes a memory whose new state is written next. False when it does not exist.
local function take_memory(changes, id)
  redis.call('ZREM', memory_expiry, namespace_id .. '/' .. id)
  remove_pending(id)
  local key = memory_prefix .. id
  if redis.call('EXISTS', key) == 0 then return false end
  local tok, terms, dup, same_text, position =
    unpack(redis.call('HMGET', key, 'tok', 'terms', 'dup', 'text', 'pos'))
  tok = tok or ''
  redis.call('DEL', key)
  redis.call('ZREM', memory_order, id)
  if dup then remove_duplicate(id, dup, same_text) end
  local session = (',' .. tok):match(',(s%x+)')
  if session and position ~= '0' then redis.call('ZREM', session_prefix .. session, id) end
  count(changes, tok, terms or '', -1)
  return true
end

-- Deletes a memory, with its accesses and revisions. False when it does not exist.
local function remove_memory(changes, id)
  redis.call('HDEL', access_counts, id)
  redis.call('ZREM', last_accesses, id)
  redis.call('DEL', revisions_prefix .. id)
  return take_memory(changes, id)
end
