-- Removes expired entries. Answers SWEPT and how many; STALE.
local wrong = stale()
if wrong then return wrong end
return { 'SWEPT', sweep(STEP) }
