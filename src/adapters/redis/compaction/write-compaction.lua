-- Writes a run, groups of its plan and memories, if the run has this fence and version. discard_groups: '1' to delete the stored
-- groups first. The other arguments are those of MemoryChangeWriter.
-- Answers DONE; LOST; CHANGED and the version; CONFLICTS and the ids that have changed or are taken; STALE, MODEL.
local wrong = stale()
if wrong then return wrong end
local stored = redis.call('HMGET', run, 'fence', 'version', 'working', 'until')
local current_fence, version, working, lease_until = unpack(stored)
if current_fence ~= fence then return { 'LOST' } end
if version ~= expected_version then return { 'CHANGED', version } end
local conflicts = {}
for _, memory in ipairs(expected) do
  if etag_of(memory.id, now) ~= memory.etag then conflicts[#conflicts + 1] = memory.id end
end
for _, memory in ipairs(creates) do
  if etag_of(memory.id, now) then conflicts[#conflicts + 1] = memory.id end
end
if #conflicts > 0 then return { 'CONFLICTS', conflicts } end
if #creates > 0 then
  wrong = other_model(generation)
  if wrong then return wrong end
end

local changes = no_changes()
for _, memory in ipairs(removes) do
  remove_memory(changes, memory.id)
  note(changes, 'D', memory.id)
end
for _, memory in ipairs(creates) do
  -- Expired, but not swept yet: the id is free.
  if remove_memory(changes, memory.id) then note(changes, 'E', memory.id) end
  local position = 0
  if memory.session ~= '' then position = redis.call('HINCRBY', last_positions, memory.session, 1) end
  write_memory(changes, memory, generation, position, now)
  note(changes, 'C', memory.id)
end
for _, memory in ipairs(puts) do put_memory(changes, memory, keep_revision(memory.id, memory.updated)) end
write_changes(changes)
if discard_groups == '1' then redis.call('DEL', compaction_groups) end
for _, group in ipairs(groups) do redis.call('HSET', compaction_groups, group.number, group.rec) end
replace_run(version, working, lease_until)
return { 'DONE' }
