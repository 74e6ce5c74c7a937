-- Removes what has ended. KEYS and ARGV: see lib/cache.lua. Answers {'SWEPT', how many}, STALE.
local wrong = stale()
if wrong then return wrong end
return { 'SWEPT', sweep(STEP) }
