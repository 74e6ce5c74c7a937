-- KEYS: from 4 on those of memories. ARGV: 6 now, from 7 on ids.
-- Answers HELD and 1 or 0 for each id: whether it is taken; or STALE.
local wrong = stale()
if wrong then return wrong end
local keys = memory_keys(4, ARGV[2])
local held = {}
for at = 7, #ARGV do held[#held + 1] = etag_of(keys, ARGV[at], ARGV[6]) and 1 or 0 end
return { 'HELD', held }
