-- Releases a lock, if this token holds it.
if redis.call('GET', lock) == token then redis.call('DEL', lock) end
