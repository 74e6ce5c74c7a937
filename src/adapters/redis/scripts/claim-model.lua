-- KEYS: 1 meta. ARGV: 1 model as JSON, or nothing. Answers {model as JSON, generation} as stored, and the model that
-- the last start was set to.
if ARGV[1] ~= '' then redis.call('HSETNX', KEYS[1], 'model', ARGV[1]) end
redis.call('HSETNX', KEYS[1], 'generation', '1')
return redis.call('HMGET', KEYS[1], 'model', 'generation', 'configured')
