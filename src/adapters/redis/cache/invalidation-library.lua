-- Invalidations of the cache entries of a namespace, by generation (see nextGeneration). invalidations: a ZSET of their
-- names, scored by generation. Fields of counters: cache_generation, of the last one; cache_swept: all entries that the
-- invalidations up to this generation match have been removed; cache_pass, cache_cursor: of the pass that removes more.
-- An entry has a stamp: '<generation when it was put>:<parts>'. A name consists of the parts that an entry must have:
-- m<digest> (model), k<digest> (knowledge version), t<digest> (tag), in this order; '*': none.

local function invalidations_of(counters, invalidations)
  local state = redis.call('HMGET', counters, 'cache_generation', 'cache_swept')
  local last = state[1] or '0'
  return { key = invalidations, text = last, last = tonumber(last), swept = tonumber(state[2] or 0) }
end

-- The generation of the last invalidation that matches an entry with these parts; 0: none does. At most 132 names.
local function last_match(invalidations, parts)
  local bases, names = { '' }, { '*' }
  for part in parts:gmatch('[mk]%x+') do
    for at = 1, #bases do
      bases[#bases + 1] = bases[at] .. part
      names[#names + 1] = bases[#bases]
    end
  end
  for part in parts:gmatch('t%x+') do
    for _, base in ipairs(bases) do names[#names + 1] = base .. part end
  end
  local last = 0
  for _, generation in ipairs(redis.call('ZMSCORE', invalidations.key, unpack(names))) do
    if generation then last = math.max(last, tonumber(generation)) end
  end
  return last
end

-- Whether an invalidation matches an entry that was put before it.
local function is_invalidated(invalidations, stamp)
  if invalidations.last == invalidations.swept then return false end
  local generation, parts = (stamp or ''):match('^(%d+):(%w*)$')
  -- An entry without a stamp is of a program without invalidations.
  if not generation then return true end
  if tonumber(generation) >= invalidations.last then return false end
  return last_match(invalidations, parts) > tonumber(generation)
end
