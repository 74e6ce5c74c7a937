-- KEYS: 4 what the keys of memories begin with, 5 access counts, 6 last accesses. ARGV: from 6 on id and etag of each that
-- is asked for; the etag is that of the record which the caller has, or nothing.
-- Answers READ and a row for each (see lua/read-memory.lua); or STALE.
local wrong = stale()
if wrong then return wrong end
local keys = { memory = KEYS[4], access = KEYS[5], accessed = KEYS[6] }
local rows = {}
for at = 6, #ARGV, 2 do
  local held = ARGV[at + 1]
  rows[#rows + 1] = read_memory(keys, ARGV[at], {}, held ~= '' and held or nil)
end
return { 'READ', rows }
