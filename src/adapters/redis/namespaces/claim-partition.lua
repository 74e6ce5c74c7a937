-- KEYS: 1 meta. ARGV: 1 format, 2 partitions, 3 the identity of a store that has none. Answers what is stored.
local meta = KEYS[1]
local format, partitions, identity = ARGV[1], ARGV[2], ARGV[3]
redis.call('HSETNX', meta, 'format', format)
redis.call('HSETNX', meta, 'partitions', partitions)
redis.call('HSETNX', meta, 'store', identity)
return redis.call('HMGET', meta, 'format', 'partitions')
