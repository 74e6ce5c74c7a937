-- Claims a partition, if it is not claimed yet. new_identity: of a store that has none.
-- Answers the format and the number of partitions that are stored.
redis.call('HSETNX', meta, 'format', format)
redis.call('HSETNX', meta, 'partitions', partitions)
redis.call('HSETNX', meta, 'store', new_identity)
return redis.call('HMGET', meta, 'format', 'partitions')
