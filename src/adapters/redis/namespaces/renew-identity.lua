-- Gives a store that went back to an older state a new identity, if it still has the one that was read.
if redis.call('HGET', meta, 'store') == read_identity then redis.call('HSET', meta, 'store', new_identity) end
