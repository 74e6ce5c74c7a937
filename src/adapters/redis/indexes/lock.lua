-- Takes a lock, or keeps the one that this token has. KEYS: 1 lock. ARGV: 1 token, 2 milliseconds. Answers 1, or 0 when
-- somebody else has it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
