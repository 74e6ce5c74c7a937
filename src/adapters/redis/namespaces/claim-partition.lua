-- Claims a partition, if it is not claimed yet, and raises an older format to this one. new_identity: of a store that has none.
-- In an empty one, no memory lacks the fields of format 2 (see history-fields.ts). The user of `redis setup` may lack the
-- right to ask; then the server finds out.
-- Answers the format and the number of partitions that are stored.
local before = redis.call('HGET', meta, 'format')
if not before and redis.pcall('EXISTS', namespaces) == 0 then redis.call('HSET', meta, 'history', 1) end
if not before or tonumber(before) < tonumber(format) then redis.call('HSET', meta, 'format', format) end
redis.call('HSETNX', meta, 'partitions', partitions)
redis.call('HSETNX', meta, 'store', new_identity)
return redis.call('HMGET', meta, 'format', 'partitions')
