-- Shared by all scripts about the data of a namespace: the namespace_id of the caller may be stale.
-- namespace_name: tenant:namespace. own_name: namespace. namespace_id: as the caller knows it, or proposes it for a new
-- one. namespaces_elsewhere: of the tenant in other partitions where an id is proposed, else ''.

-- Nil when the namespace has this id; else the reply with its current id (false: it does not exist).
local function stale()
  local current = redis.call('HGET', namespaces, namespace_name)
  if current == namespace_id then return nil end
  return { 'STALE', current }
end

-- For writes that create a namespace. Nil when it exists under this id, or may be created.
local function cannot_create()
  local current = redis.call('HGET', namespaces, namespace_name)
  if current == namespace_id then return nil end
  -- A cached id that no longer exists is that of a deleted namespace.
  if current or namespaces_elsewhere == '' then return { 'STALE', current } end
  if redis.call('ZCARD', tenant_namespaces) + tonumber(namespaces_elsewhere) >= tonumber(max_namespaces) then
    return { 'TOO_MANY' }
  end
  return nil
end

local function create_namespace()
  if redis.call('HSETNX', namespaces, namespace_name, namespace_id) == 0 then return end
  redis.call('HSET', namespace_names, namespace_id, namespace_name)
  redis.call('ZADD', tenant_namespaces, 0, own_name)
end
