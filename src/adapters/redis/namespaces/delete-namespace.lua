-- Deletes a namespace in one step: nobody finds what it held any more. What it held is removed behind.
-- KEYS: 4 counters, 5 deleted, 6 request, 7 cacheOrder, 8 meta. ARGV: 6 body hash, 7 expire time, 8 now.
-- Answers {memories, cache entries} as an outcome of the request, or REPEAT, REUSED, STALE.
local before = recall(KEYS[6], ARGV[6], ARGV[8])
if before then return before end
local wrong = stale()
if wrong and wrong[2] then return wrong end
local memories, entries = '0', 0
if not wrong then
  memories = redis.call('HGET', KEYS[4], 'memories') or '0'
  entries = redis.call('ZCARD', KEYS[7])
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[3])
  redis.call('SADD', KEYS[5], ARGV[2])
  redis.call('HINCRBY', KEYS[8], 'changes', 1)
end
local outcome = memories .. ' ' .. entries
record(KEYS[6], ARGV[6], ARGV[7], ARGV[8], outcome)
return { 'DONE', outcome }
