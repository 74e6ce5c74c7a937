-- One step of removing the data of a deleted namespace: up to `limit` members. cache_entry_prefix: of the keys of its cache
-- entries. other_keys: all keys of the namespace without a suffix.
-- Answers MORE, or DONE when nothing is left.
local left = tonumber(limit)
if redis.call('SISMEMBER', deleted, namespace_id) == 0 then return { 'DONE' } end

local function first_of(order)
  if left < 1 then return {} end
  return redis.call('ZRANGE', order, 0, left - 1)
end

local dropped = first_of(memory_order)
count_indexed(-#dropped)
for _, id in ipairs(dropped) do
  redis.call('ZREM', memory_expiry, namespace_id .. '/' .. id)
  remove_pending(id)
  redis.call('DEL', memory_prefix .. id)
  redis.call('UNLINK', revisions_prefix .. id)
  redis.call('ZREM', memory_order, id)
  left = left - 1
end
for _, id in ipairs(first_of(cache_order)) do
  redis.call('DEL', cache_entry_prefix .. id)
  redis.call('ZREM', cache_order, id)
  left = left - 1
end
for _, id in ipairs(first_of(compaction_order)) do
  redis.call('UNLINK', compaction_prefix .. id, compaction_groups_prefix .. id)
  redis.call('ZREM', unfinished_compactions, id .. '/' .. namespace_id)
  redis.call('ZREM', ended_compactions, id .. '/' .. namespace_id)
  redis.call('ZREM', compaction_order, id)
  left = left - 1
end
for _, session in ipairs(redis.call('HRANDFIELD', last_positions, left)) do
  redis.call('UNLINK', session_prefix .. session)
  redis.call('HDEL', last_positions, session)
  left = left - 1
end
if left < 1 then return { 'MORE' } end
for _, key in ipairs(other_keys) do redis.call('UNLINK', key) end
redis.call('HDEL', namespace_names, namespace_id)
redis.call('SREM', deleted, namespace_id)
return { 'DONE' }
