-- Claims a partition for a model, if it is not claimed yet. model: as JSON, or '' for none. generation, attempts: of a
-- partition that has none. Answers model and generation as stored, and the model that the last start was configured with.
if model ~= '' then redis.call('HSETNX', meta, 'model', model) end
if redis.call('HSETNX', meta, 'generation', generation) == 1 then
  redis.call('HSET', meta, 'attempts', attempts)
end
return redis.call('HMGET', meta, 'model', 'generation', 'configured')
