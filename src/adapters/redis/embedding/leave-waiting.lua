-- Takes a memory out of those that wait. KEYS: 1 waiting, 2 waitingSince, 3 waitingAttempts. ARGV: 1 member.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
