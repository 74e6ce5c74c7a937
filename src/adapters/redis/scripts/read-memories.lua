-- KEYS: from 4 on those of memories. ARGV: 6 number of fields, from 7 on these, then ids.
-- Answers READ and a row for each id (see lib/read-memory.lua), or STALE.
local wrong = stale()
if wrong then return wrong end
local keys = memory_keys(4, ARGV[2])
local fields, rows = {}, {}
local first = 7 + tonumber(ARGV[6])
for at = 7, first - 1 do fields[#fields + 1] = ARGV[at] end
for at = first, #ARGV do rows[#rows + 1] = read_memory(keys, ARGV[at], fields) end
return { 'READ', rows }
