-- Executes the plan of planCreation in create-plan.ts for a step of a batch, if its observations still hold.
-- count_before: items of the batch before these. outcome: what is recorded of the request: the outcomes of all items so
-- far, with '+<how many> ' in front while items are left. Of each item that is not refused beforehand: item_id; `write` is
-- 'create', 'merge' or '' (nothing is written); duplicate_key is '' where duplicates are allowed; recall_key is '' where a
-- recall loop is (see recall-loop.ts), else accesses count from recalled_since on; observed is what it was observed to meet
-- ('TAKEN': a memory with its id, the etag of the oldest duplicate, 'RECALLED' and the etag of a recalled memory, or '');
-- the other fields are those of the memory that is created or merged. may_have_uncounted: '1' when the caller has accesses
-- to the namespace that are not written yet. superseded: what the memories become that the one item of this step supersedes,
-- with the etags that they were observed to have.
-- Answers DONE and the positions of the created memories; OBSERVED and, for each item, what it meets (the row of a
-- duplicate or, in a list of its own, of a recalled memory), when that is something else: then nothing was written;
-- UNCOUNTED when accesses that are not written yet may decide; REPLAY and the record of a batch that has come to
-- another place; REUSED, STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before and (before[1] == 'REUSED' or before[2]:match('^%+(%d+) ') ~= count_before) then return before end
wrong = other_model(generation)
if wrong then return wrong end
create_namespace()

-- The ids and etags of unexpired memories under a key, oldest first.
local function same_under(key)
  local at = 0
  return function()
    while true do
      local range = { '[' .. key .. ':', '(' .. key .. ';', 'BYLEX', 'LIMIT', at, 1 }
      local member = redis.call('ZRANGE', duplicates, unpack(range))[1]
      if not member then return nil end
      at = at + 1
      -- Behind the key and the padded time.
      local id = member:sub(#key + 19)
      local etag = etag_of(id, now)
      if etag then return id, etag end
    end
  end
end

-- MAX_SAME_TEXTS in recall-loop.ts.
local MOST_SAME_TEXTS = 100

-- How many older memories with the text were not recalled, and the id and etag of the first that was, if there is one.
local function recalled_memory(key, since)
  local examined = 0
  for id, etag in same_under(key) do
    local last = redis.call('ZSCORE', last_accesses, id)
    if last and tonumber(last) >= tonumber(since) then return examined, id, etag end
    examined = examined + 1
    if examined == MOST_SAME_TEXTS then break end
  end
  return examined
end

local holds = true
for _, item in ipairs(items) do
  item.meets = ''
  if etag_of(item.item_id, now) then
    item.meets = 'TAKEN'
  elseif item.duplicate_key ~= '' then
    local duplicate, etag = same_under(item.duplicate_key)()
    item.duplicate, item.meets = duplicate, etag or ''
  end
  if item.meets == '' and item.recall_key ~= '' then
    local others, recalled, etag = recalled_memory(item.recall_key, item.recalled_since)
    if others > 0 and may_have_uncounted == '1' then return { 'UNCOUNTED' } end
    if recalled then
      item.recalled, item.meets = recalled, 'RECALLED ' .. etag
    end
  end
  holds = holds and item.meets == item.observed
end

for _, memory in ipairs(superseded) do
  holds = holds and etag_of(memory.id, now) == memory.observed_etag
end

if not holds then
  local observed = {}
  for index, item in ipairs(items) do
    if item.recalled then
      observed[index] = { read_memory(item.recalled, {}) }
    else
      observed[index] = item.duplicate and read_memory(item.duplicate, {}) or item.meets
    end
  end
  return { 'OBSERVED', observed }
end

local changes = no_changes()
local positions = {}
for _, item in ipairs(items) do
  if item.write == 'create' then
    -- Expired, but not swept yet: the id is free.
    if remove_memory(changes, item.id) then note(changes, 'E', item.id) end
    local position = 0
    if item.session ~= '' then position = redis.call('HINCRBY', last_positions, item.session, 1) end
    write_memory(changes, item, generation, position, now)
    positions[#positions + 1] = position
    note(changes, 'C', item.id)
  end
  if item.write == 'merge' then
    merge_memory(changes, item, keep_revision(item.id, item.updated))
    note(changes, 'U', item.id)
  end
  if item.write ~= '' then count_change(changes, item.user) end
end
for _, memory in ipairs(superseded) do
  supersede_memory(changes, memory, keep_revision(memory.id, memory.updated))
  note(changes, 'S', memory.id)
end
write_changes(changes)
write_changed_scopes(changes, now)
record(outcome)
return { 'DONE', positions }
