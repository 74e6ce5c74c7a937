-- KEYS: 1 meta. ARGV: 1 model as JSON, or nothing; 2 generation and 3 attempts of a partition that has none. Answers
-- {model as JSON, generation} as stored, and the model that the last start was set to.
local meta = KEYS[1]
local model, generation, attempts = ARGV[1], ARGV[2], ARGV[3]
if model ~= '' then redis.call('HSETNX', meta, 'model', model) end
if redis.call('HSETNX', meta, 'generation', generation) == 1 then
  redis.call('HSET', meta, 'attempts', attempts)
end
return redis.call('HMGET', meta, 'model', 'generation', 'configured')
