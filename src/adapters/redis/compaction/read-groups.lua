-- Groups of a plan with the numbers after `after`: at most `limit`, and at most max_bytes, but one at least.
-- Answers DONE and their records; or STALE.
local wrong = stale()
if wrong then return wrong end
local reply, bytes = { 'DONE' }, 0
for number = tonumber(after) + 1, tonumber(after) + tonumber(limit) do
  local rec = redis.call('HGET', compaction_groups, string.format('%d', number))
  if not rec then break end
  bytes = bytes + #rec
  if #reply > 1 and bytes > tonumber(max_bytes) then break end
  reply[#reply + 1] = rec
end
return reply
