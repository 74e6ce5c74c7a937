-- Claims a run for an owner until lease_end.
-- Answers DONE and the fence; HELD by another owner; MISSING, STALE.
local wrong = stale()
if wrong then return wrong end
local current_owner, fence, lease_until, due = unpack(redis.call('HMGET', run, 'owner', 'fence', 'until', 'due'))
if not fence then return { 'MISSING' } end
if current_owner ~= owner then
  if tonumber(lease_until) > tonumber(now) then return { 'HELD' } end
  fence = string.format('%d', tonumber(fence) + 1)
end
redis.call('HSET', run, 'owner', owner, 'fence', fence, 'until', lease_end)
if due ~= '' then
  local free = string.format('%.0f', math.max(tonumber(due), tonumber(lease_end)))
  redis.call('ZADD', unfinished_compactions, free, id .. '/' .. namespace_id)
end
redis.call('HINCRBY', meta, 'changes', 1)
return { 'DONE', fence }
