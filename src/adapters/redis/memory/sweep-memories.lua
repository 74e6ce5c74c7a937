-- Removes expired memories of one namespace, deleted or not, in order, until their terms reach max_bytes.
-- Answers DONE and how many ids it has processed.
local left = tonumber(max_bytes)
local changes, swept = no_changes(), 0
for index, id in ipairs(ids) do
  if index > 1 and left <= 0 then break end
  local expire = redis.call('ZSCORE', memory_expiry, namespace_id .. '/' .. id)
  if expire and tonumber(expire) <= tonumber(now) then
    left = left - redis.call('HSTRLEN', memory_prefix .. id, 'terms')
    if remove_memory(changes, id) then note(changes, 'E', id) end
  end
  swept = index
end
write_changes(changes)
return { 'DONE', swept }
