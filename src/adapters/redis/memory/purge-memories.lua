-- A step of a purge: deletes memories that still have their etags. is_last: '1' for the last step. purged_before: how many
-- were purged in earlier steps.
-- Answers DONE, '<count> <1 when it is over>' and the ids of those that have changed; or REUSED, STALE.
local wrong = stale()
if wrong and wrong[2] then return wrong end
local before = replay()
if before and before[1] == 'REUSED' then return before end
local count, is_over = purged_before, '0'
if before then count, is_over = before[2]:match('^(%d+) (%d)$') end
if is_over == '1' then return { 'DONE', before[2], {} } end
count = tonumber(count)
local changed = {}
if not wrong then
  local changes = no_changes()
  for _, memory in ipairs(memories) do
    local etag = etag_of(memory.id, now)
    if etag == memory.etag then
      remove_memory(changes, memory.id)
      note(changes, 'D', memory.id)
      count = count + 1
    elseif etag then
      changed[#changed + 1] = memory.id
    end
  end
  write_changes(changes)
end
local outcome = string.format('%d', count) .. ' ' .. is_last
record(outcome)
return { 'DONE', outcome, changed }
