-- Removes expired and invalidated entries, a bounded number. Answers SWEPT; STALE.
local wrong = stale()
if wrong then return wrong end
reclaim()
sweep(STEP)
return { 'SWEPT' }
