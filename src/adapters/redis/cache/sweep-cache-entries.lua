-- Removes expired and invalidated entries, a bounded number. Answers SWEPT and how many of either it removed; STALE.
local wrong = stale()
if wrong then return wrong end
reclaim()
sweep(STEP)
return with_removed({ 'SWEPT' })
