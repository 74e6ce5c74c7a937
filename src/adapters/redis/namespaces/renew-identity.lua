-- Gives a store that went back to an older state another identity, if it still has this one.
-- KEYS: 1 meta. ARGV: 1 the identity that was read, 2 the new one.
local meta = KEYS[1]
local read, renewed = ARGV[1], ARGV[2]
if redis.call('HGET', meta, 'store') == read then redis.call('HSET', meta, 'store', renewed) end
