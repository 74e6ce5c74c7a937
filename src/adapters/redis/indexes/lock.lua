-- Takes a lock, or renews the one that this token has. Answers 1, or 0 when another token has it.
local holder = redis.call('GET', lock)
if holder and holder ~= token then return 0 end
redis.call('SET', lock, token, 'PX', milliseconds)
return 1
