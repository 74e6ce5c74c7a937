-- Reads cache entries of one or several namespaces, in the order of versions, and the policies of these namespaces.
-- scopes: name (tenant:namespace), namespace_id as the caller knows it, and how many of the entries are in it.
-- scope_keys: of each scope, its policy, its counters, its invalidations and its entries.
-- versions: of each entry, the version that the caller has ('': none), or '-' where no entry is requested.
-- Answers the generation of the vectors; for each scope the record of its policy (false: there is none), and the generation of
-- its last invalidation, or a list of that and the names and generations of those that are not swept yet, max_pending + 1 at
-- most; and for each entry 1 when the caller has it, 0 when there is none, {version, record}, or {namespace_id} where the
-- namespace has another one (false: it does not exist).
local policies, states = {}, {}
local answers = { redis.call('HGET', meta, 'generation'), policies, states }

local function state_of(invalidations)
  if invalidations.last == invalidations.swept then return invalidations.text end
  local swept = string.format('(%.0f', invalidations.swept)
  local limit = tonumber(max_pending) + 1
  local pending = redis.call('ZRANGE', invalidations.key, swept, '+inf', 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
  return { invalidations.text, unpack(pending) }
end

local function answer(invalidations, entry, version)
  if version == '-' then return 0 end
  local found = redis.call('HMGET', entry, 'version', 'stamp')
  if not found[1] or is_invalidated(invalidations, found[2]) then return 0 end
  if found[1] == version then return 1 end
  return { found[1], redis.call('HGET', entry, 'rec') }
end

local nth, at = 0, 0
for number, scope in ipairs(scopes) do
  local namespace_id = redis.call('HGET', namespaces, scope.name)
  policies[number] = redis.call('HGET', scope_keys[at + 1], 'rec')
  local invalidations = invalidations_of(scope_keys[at + 2], scope_keys[at + 3])
  states[number] = state_of(invalidations)
  at = at + 3
  for _ = 1, tonumber(scope.count) do
    nth = nth + 1
    at = at + 1
    if namespace_id == scope.namespace_id then
      answers[nth + 3] = answer(invalidations, scope_keys[at], versions[nth])
    else
      answers[nth + 3] = { namespace_id }
    end
  end
end
return answers
