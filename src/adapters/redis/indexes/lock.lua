-- Acquires a lock, or renews that of this token. Answers 1, or 0 when another token holds it.
local holder = redis.call('GET', lock)
if holder and holder ~= token then return 0 end
redis.call('SET', lock, token, 'PX', milliseconds)
return 1
