-- Reads memories by id. Of each: id, and etag of the record that the caller has ('': none).
-- Answers READ and a row for each (see row-library.lua); or STALE.
local wrong = stale()
if wrong then return wrong end
local rows = {}
for index, memory in ipairs(memories) do
  rows[index] = read_memory(memory.id, {}, memory.etag ~= '' and memory.etag or nil)
end
return { 'READ', rows }
