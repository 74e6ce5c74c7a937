-- Removes what has ended. KEYS and ARGV: see lua/cache.lua. Answers {'SWEPT', how many}, STALE.
local wrong = stale()
if wrong then return wrong end
return { 'SWEPT', sweep(STEP) }
