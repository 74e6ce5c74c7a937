-- What shows whether a search was put in the right way.
-- KEYS: 1 namespaces, 2 meta, 3 counters, 4 document frequencies, 5 sizes.
-- ARGV: 1 name (tenant:namespace), 2 how many terms, from 3 on these, then tokens.
-- Answers the number of the namespace, the generation of the vectors, memories, terms of all memories, and two lists: the
-- document frequencies of the terms and the sizes of the tokens.
local function values(key, first, last)
  if first > last then return {} end
  return redis.call('HMGET', key, unpack(ARGV, first, last))
end
local last_term = 2 + tonumber(ARGV[2])
local counters = redis.call('HMGET', KEYS[3], 'memories', 'terms')
return {
  redis.call('HGET', KEYS[1], ARGV[1]),
  redis.call('HGET', KEYS[2], 'generation'),
  counters[1],
  counters[2],
  values(KEYS[4], 3, last_term),
  values(KEYS[5], last_term + 1, #ARGV),
}
