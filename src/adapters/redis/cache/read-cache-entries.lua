-- Reads cache entries of one or several namespaces, in the order of entries.
-- scopes: name (tenant:namespace), namespace_id as the caller knows it, and how many of the entries are in it.
-- versions: of each entry, the version that the caller has ('': none), or '-' where no entry is requested.
-- Answers the generation of the vectors, and for each entry 1 when the caller has it, 0 when there is none, {version,
-- record}, or {namespace_id} where the namespace has another one (false: it does not exist).
local answers = { redis.call('HGET', meta, 'generation') }

local function answer(entry, version)
  if version == '-' then return 0 end
  local current = redis.call('HGET', entry, 'version')
  if not current then return 0 end
  if current == version then return 1 end
  return { current, redis.call('HGET', entry, 'rec') }
end

local nth = 0
for _, scope in ipairs(scopes) do
  local namespace_id = redis.call('HGET', namespaces, scope.name)
  for _ = 1, tonumber(scope.count) do
    nth = nth + 1
    if namespace_id == scope.namespace_id then
      answers[nth + 1] = answer(entries[nth], versions[nth])
    else
      answers[nth + 1] = { namespace_id }
    end
  end
end
return answers
