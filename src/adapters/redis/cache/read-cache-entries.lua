-- Reads cache entries of one or several namespaces, in the order of entries, and the policies of these namespaces.
-- entries: the keys of the entries, and behind them those of the policies, one for each of scopes.
-- scopes: name (tenant:namespace), namespace_id as the caller knows it, and how many of the entries are in it.
-- versions: of each entry, the version that the caller has ('': none), or '-' where no entry is requested.
-- Answers the generation of the vectors, the record of each policy (false: there is none), and for each entry 1 when the
-- caller has it, 0 when there is none, {version, record}, or {namespace_id} where the namespace has another one (false: it
-- does not exist).
local policies = {}
local answers = { redis.call('HGET', meta, 'generation'), policies }

local function answer(entry, version)
  if version == '-' then return 0 end
  local current = redis.call('HGET', entry, 'version')
  if not current then return 0 end
  if current == version then return 1 end
  return { current, redis.call('HGET', entry, 'rec') }
end

local nth = 0
for at, scope in ipairs(scopes) do
  local namespace_id = redis.call('HGET', namespaces, scope.name)
  policies[at] = redis.call('HGET', entries[#versions + at], 'rec')
  for _ = 1, tonumber(scope.count) do
    nth = nth + 1
    if namespace_id == scope.namespace_id then
      answers[nth + 2] = answer(entries[nth], versions[nth])
    else
      answers[nth + 2] = { namespace_id }
    end
  end
end
return answers
