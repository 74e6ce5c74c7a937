-- Removes a memory from the embedding queue.
redis.call('ZREM', pending, member)
redis.call('ZREM', pending_since, member)
redis.call('HDEL', pending_attempts, member)
