-- Executes the plan of planCreation in create-plan.ts for a step of a batch, if its observations still hold.
-- count_before: items of the batch before these. outcome: what is recorded of the request: the outcomes of all items so
-- far, with '+<how many> ' in front while items are left. Of each item that is not refused beforehand: item_id; `write` is
-- 'create', 'merge' or '' (nothing is written); duplicate_key is '' where duplicates are allowed; observed is what it was
-- observed to meet ('TAKEN': a memory with its id, the etag of the oldest duplicate, or ''); the other fields are those of
-- the memory that is created or merged. superseded: what the memories become that the one item of this step supersedes,
-- with the etags that they were observed to have.
-- Answers DONE and the positions of the created memories; OBSERVED and, for each item, what it meets (the row of a
-- duplicate), when that is something else: then nothing was written; REPLAY and the record of a batch that has come to
-- another place; REUSED, STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before and (before[1] == 'REUSED' or before[2]:match('^%+(%d+) ') ~= count_before) then return before end
wrong = other_model(generation)
if wrong then return wrong end
create_namespace()

local function oldest_duplicate(key)
  local at = 0
  while true do
    local range = { '[' .. key .. ':', '(' .. key .. ';', 'BYLEX', 'LIMIT', at, 1 }
    local member = redis.call('ZRANGE', duplicates, unpack(range))[1]
    if not member then return nil end
    -- Behind the key and the padded time.
    local id = member:sub(#key + 19)
    local etag = etag_of(id, now)
    if etag then return id, etag end
    at = at + 1
  end
end

local holds = true
for _, item in ipairs(items) do
  item.meets = ''
  if etag_of(item.item_id, now) then
    item.meets = 'TAKEN'
  elseif item.duplicate_key ~= '' then
    local duplicate, etag = oldest_duplicate(item.duplicate_key)
    item.duplicate, item.meets = duplicate, etag or ''
  end
  holds = holds and item.meets == item.observed
end

for _, memory in ipairs(superseded) do
  holds = holds and etag_of(memory.id, now) == memory.observed_etag
end

if not holds then
  local observed = {}
  for index, item in ipairs(items) do
    observed[index] = item.duplicate and read_memory(item.duplicate, {}) or item.meets
  end
  return { 'OBSERVED', observed }
end

local changes = no_changes()
local positions = {}
for _, item in ipairs(items) do
  if item.write == 'create' then
    -- Expired, but not swept yet: the id is free.
    remove_memory(changes, item.id)
    local position = 0
    if item.session ~= '' then position = redis.call('HINCRBY', last_positions, item.session, 1) end
    write_memory(changes, item, generation, position, now)
    positions[#positions + 1] = position
  end
  if item.write == 'merge' then merge_memory(changes, item, keep_revision(item.id, item.updated)) end
  if item.write ~= '' then count_change(changes, item.user) end
end
for _, memory in ipairs(superseded) do
  supersede_memory(changes, memory, keep_revision(memory.id, memory.updated))
end
write_changes(changes)
write_changed_scopes(changes, now)
record(outcome)
return { 'DONE', positions }
