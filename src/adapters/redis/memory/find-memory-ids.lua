-- Answers FOUND and 1 or 0 for each id: whether there is a memory with it that has not expired; or STALE.
local wrong = stale()
if wrong then return wrong end
local found = {}
for index, id in ipairs(ids) do found[index] = etag_of(id, now) and 1 or 0 end
return { 'FOUND', found }
