-- Every script about the data of a namespace begins so.
-- KEYS: 1 namespaces, 2 names, 3 namesOf(tenant) (see keys.ts).
-- ARGV: 1 name (tenant:namespace), 2 the number that the caller knows or proposes, 3 the namespace's own name,
-- 4 where the number is proposed, namespaces of the tenant in other partitions, else ''; 5 how many it may have.

-- Nil when the namespace has this number; else what to answer: the number that it has (false: it is not there).
local function stale()
  local current = redis.call('HGET', KEYS[1], ARGV[1])
  if current == ARGV[2] then return nil end
  return { 'STALE', current }
end

-- For writes that bring a namespace into being. Nil when it is there under this number, or may be made.
local function cannot_create()
  local current = redis.call('HGET', KEYS[1], ARGV[1])
  if current == ARGV[2] then return nil end
  -- A number that was known and is gone names what a deletion has left behind.
  if current or ARGV[4] == '' then return { 'STALE', current } end
  if redis.call('ZCARD', KEYS[3]) + tonumber(ARGV[4]) >= tonumber(ARGV[5]) then return { 'TOO_MANY' } end
  return nil
end

local function create_namespace()
  if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return end
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
  redis.call('ZADD', KEYS[3], 0, ARGV[3])
end
