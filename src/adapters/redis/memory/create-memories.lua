-- Carries out what planCreation in create-plan.ts makes of a step of a batch, if what it was made from still holds.
-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 expire time of the request, 8 now, 9 generation, 10 how
-- many items came before these, 11 what is recorded of the request: what became of all items so far, with '+<how many> ' in
-- front while items are left. Then of each item that is not refused beforehand: what is written ('create', 'merge' or ''),
-- its id, its duplicate key ('' where duplicates are allowed), what it was observed to meet ('TAKEN': a memory with its id,
-- the etag of the oldest duplicate, or ''), and the memory or what is merged.
-- Answers DONE and the positions of the created memories; or OBSERVED and, for each of these items, what it meets (the row
-- of a duplicate), when that is something else: then nothing was written; or REPEAT and the record of a batch that has come
-- to another place; or REUSED, STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
local request, body_hash, expire_time = KEYS[4], ARGV[6], ARGV[7]
local now, generation = ARGV[8], ARGV[9]
local count_before, outcome = ARGV[10], ARGV[11]
local before = recall(request, body_hash, now)
if before and (before[1] == 'REUSED' or before[2]:match('^%+(%d+) ') ~= count_before) then return before end
local keys = memory_keys(5, ARGV[2])
wrong = other_model(keys, generation)
if wrong then return wrong end
create_namespace()

local function oldest_duplicate(key)
  local at = 0
  while true do
    local range = { '[' .. key .. ':', '(' .. key .. ';', 'BYLEX', 'LIMIT', at, 1 }
    local member = redis.call('ZRANGE', keys.duplicates, unpack(range))[1]
    if not member then return nil end
    -- Behind the key and the padded time.
    local id = member:sub(#key + 19)
    local etag = etag_of(keys, id, now)
    if etag then return id, etag end
    at = at + 1
  end
end

local function merged_at(first)
  local merged = {}
  local names = { 'id', 'tok', 'rec', 'etag', 'expire' }
  for at, name in ipairs(names) do merged[name] = ARGV[first + at - 1] end
  return merged, first + #names
end

local items = {}
local holds = true
local at = 12
while ARGV[at] do
  local item = { write = ARGV[at], id = ARGV[at + 1] }
  local key, expected = ARGV[at + 2], ARGV[at + 3]
  at = at + 4
  if item.write == 'create' then item.memory, at = memory_at(at) end
  if item.write == 'merge' then item.merged, at = merged_at(at) end
  item.meets = ''
  if etag_of(keys, item.id, now) then
    item.meets = 'TAKEN'
  elseif key ~= '' then
    local duplicate, etag = oldest_duplicate(key)
    item.duplicate, item.meets = duplicate, etag or ''
  end
  holds = holds and item.meets == expected
  items[#items + 1] = item
end

if not holds then
  local observed = {}
  for index, item in ipairs(items) do
    observed[index] = item.duplicate and read_memory(keys, item.duplicate, {}) or item.meets
  end
  return { 'OBSERVED', observed }
end

local changes = no_changes()
local positions = {}
for _, item in ipairs(items) do
  local memory = item.memory
  if memory then
    -- Ended, but not swept yet: the id is free.
    remove_memory(keys, changes, memory.id)
    local position = 0
    if memory.session ~= '' then position = redis.call('HINCRBY', keys.positions, memory.session, 1) end
    write_memory(keys, changes, memory, generation, position, now)
    positions[#positions + 1] = position
  end
  if item.merged then merge_memory(keys, changes, item.merged) end
end
write_changes(keys, changes)
record(request, body_hash, expire_time, now, outcome)
return { 'DONE', positions }
