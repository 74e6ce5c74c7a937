-- Writes memories as they are, in order; one whose id is taken is passed over.
-- KEYS: from 4 on those of memories. ARGV: 6 now, 7 generation; then of each the session position that it had, 0 for none,
-- and the memory. Answers DONE and 1 or 0 for each: whether it was written; or STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
local now, generation = ARGV[6], ARGV[7]
local keys = memory_keys(4, ARGV[2])
wrong = other_model(keys, generation)
if wrong then return wrong end
create_namespace()

local function is_free(session, position)
  for _, id in ipairs(redis.call('ZRANGE', keys.session .. session, position, position, 'BYSCORE')) do
    if etag_of(keys, id, now) then return false end
  end
  return true
end

-- The position that it had, if no other memory holds it; else the next one.
local function position_of(session, position)
  if session == '' then return 0 end
  if position < 1 or not is_free(session, position) then
    return redis.call('HINCRBY', keys.positions, session, 1)
  end
  local last = tonumber(redis.call('HGET', keys.positions, session) or 0)
  if position > last then redis.call('HSET', keys.positions, session, string.format('%d', position)) end
  return position
end

local changes = no_changes()
local written = {}
local at = 8
while ARGV[at] do
  local memory, behind = memory_at(at + 1)
  local is_taken = etag_of(keys, memory.id, now)
  if not is_taken then
    -- Ended, but not swept yet: the id is free.
    remove_memory(keys, changes, memory.id)
    write_memory(keys, changes, memory, generation, position_of(memory.session, tonumber(ARGV[at])), now)
  end
  written[#written + 1] = is_taken and 0 or 1
  at = behind
end
write_changes(keys, changes)
return { 'DONE', written }
