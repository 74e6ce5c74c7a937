-- Deletes runs with their groups, in any state.
-- Answers DONE or STALE.
local wrong = stale()
if wrong then return wrong end
for _, id in ipairs(ids) do
  local member = id .. '/' .. namespace_id
  local due = redis.call('HGET', compaction_prefix .. id, 'due')
  redis.call('UNLINK', compaction_prefix .. id, compaction_groups_prefix .. id)
  redis.call('ZREM', unfinished_compactions, member)
  redis.call('ZREM', ended_compactions, member)
  redis.call('ZREM', compaction_order, id)
  if due and due ~= '' then
    local active = redis.call('HGETALL', active_compactions)
    for at = 1, #active, 2 do
      if active[at + 1] == id then redis.call('HDEL', active_compactions, active[at]) end
    end
  end
end
redis.call('HINCRBY', meta, 'changes', 1)
return { 'DONE' }
