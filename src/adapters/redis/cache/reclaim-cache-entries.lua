-- Removes invalidated entries, a bounded number of them. Answers MORE, or DONE when none is left, and
-- how many expired and invalidated ones it removed; STALE.
local wrong = stale()
if wrong then return wrong end
return with_removed({ reclaim() and 'MORE' or 'DONE' })
