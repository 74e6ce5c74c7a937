-- Imports memories unchanged, in order; one whose id exists is skipped. Of each: the fields of write_memory, and
-- `position` in its session as it was (0: none).
-- Answers DONE and 1 or 0 for each: whether it was written; or STALE, TOO_MANY, MODEL.
local wrong = cannot_create()
if wrong then return wrong end
wrong = other_model(generation)
if wrong then return wrong end
create_namespace()

local function is_free(session, position)
  for _, id in ipairs(redis.call('ZRANGE', session_prefix .. session, position, position, 'BYSCORE')) do
    if etag_of(id, now) then return false end
  end
  return true
end

-- The original position, if no other memory has it; else the next one.
local function position_of(session, position)
  if session == '' then return 0 end
  if position < 1 or not is_free(session, position) then
    return redis.call('HINCRBY', last_positions, session, 1)
  end
  local last = tonumber(redis.call('HGET', last_positions, session) or 0)
  if position > last then redis.call('HSET', last_positions, session, string.format('%d', position)) end
  return position
end

local changes = no_changes()
local written = {}
for index, memory in ipairs(memories) do
  local is_taken = etag_of(memory.id, now)
  if not is_taken then
    -- Expired, but not swept yet: the id is free.
    if remove_memory(changes, memory.id) then note(changes, 'E', memory.id) end
    write_memory(changes, memory, generation, position_of(memory.session, tonumber(memory.position)), now)
    count_change(changes, memory.user)
    note(changes, 'C', memory.id)
  end
  written[index] = is_taken and 0 or 1
end
write_changes(changes)
write_changed_scopes(changes, now)
return { 'DONE', written }
