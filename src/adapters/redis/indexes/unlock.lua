-- Gives a lock back, if this token has it.
if redis.call('GET', lock) == token then redis.call('DEL', lock) end
