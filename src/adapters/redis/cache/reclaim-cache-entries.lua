-- Removes invalidated entries, a bounded number of them. Answers MORE, or DONE when none is left; STALE.
local wrong = stale()
if wrong then return wrong end
return { reclaim() and 'MORE' or 'DONE' }
