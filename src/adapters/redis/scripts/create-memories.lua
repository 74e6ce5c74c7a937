-- Writes a step of a batch of new memories, each on its own, in order.
-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 expire time of the request, 8 now, 9 generation, 10 how
-- many items came before these and 11 what became of them, as it is recorded ('[]': none), 12 1 when none are left behind;
-- then of each item 'REFUSED' and the refusal, or 'NEW', what to do with a duplicate, the duplicate key and the memory.
-- Answers DONE, a list of what became of each, as it is recorded, and a list of what is known of each (the position of a
-- created memory, the row of one that was there); or REPEAT and the record of a batch that has come to another place, which
-- is that list for all of its items, with '+<how many> ' in front while items are left; or REUSED, STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
local request, body_hash, expire_time = KEYS[4], ARGV[6], ARGV[7]
local now, generation = ARGV[8], ARGV[9]
local count_before, outcome_before, is_last = ARGV[10], ARGV[11], ARGV[12] == '1'
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
    if etag_of(keys, id, now) then return id end
    at = at + 1
  end
end

local changes = no_changes()
local outcomes, known = {}, {}

local function create(memory, on_duplicate, duplicate_key)
  if etag_of(keys, memory.id, now) then return { 'taken', memory.id }, '' end
  local existing = on_duplicate ~= 'ALLOW' and oldest_duplicate(duplicate_key)
  if existing and on_duplicate == 'REFUSE' then return { 'same', existing }, '' end
  if existing then return { 'duplicate', existing }, read_memory(keys, existing, {}) end
  -- Ended, but not swept yet: the id is free.
  remove_memory(keys, changes, memory.id)
  local position = 0
  if memory.session ~= '' then position = redis.call('HINCRBY', keys.positions, memory.session, 1) end
  write_memory(keys, changes, memory, generation, position, now)
  return { 'created', memory.id }, position
end

local at = 13
while ARGV[at] do
  if ARGV[at] == 'REFUSED' then
    outcomes[#outcomes + 1] = { 'refused', ARGV[at + 1] }
    known[#known + 1] = ''
    at = at + 2
  else
    local memory, behind = memory_at(at + 3)
    local outcome, fact = create(memory, ARGV[at + 1], ARGV[at + 2])
    outcomes[#outcomes + 1] = outcome
    known[#known + 1] = fact
    at = behind
  end
end
write_changes(keys, changes)
-- An empty table is an object to cjson.
local outcome = #outcomes == 0 and '[]' or cjson.encode(outcomes)

local function joined(list, other)
  if list == '[]' then return other end
  if other == '[]' then return list end
  return list:sub(1, -2) .. ',' .. other:sub(2)
end

local sofar = joined(outcome_before, outcome)
if not is_last then sofar = string.format('+%d ', count_before + #outcomes) .. sofar end
record(request, body_hash, expire_time, now, sofar)
return { 'DONE', outcome, known }
