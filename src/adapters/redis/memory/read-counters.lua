-- Reads the counters that verify the plan of a search.
-- Answers the id of the namespace (false: it does not exist), the generation of the vectors, the memories of the partition
-- (false: not counted yet), memories, terms of all memories, and two lists: the document frequencies of the terms and the sizes
-- of the tokens.
local function values(key, names)
  if #names == 0 then return {} end
  return redis.call('HMGET', key, unpack(names))
end
local generation, indexed = unpack(redis.call('HMGET', meta, 'generation', 'memories'))
local counted = redis.call('HMGET', counters, 'memories', 'terms')
return {
  redis.call('HGET', namespaces, namespace_name),
  generation,
  indexed,
  counted[1],
  counted[2],
  values(document_frequencies, terms),
  values(sizes, tokens),
}
