-- A step of a purge: deletes memories that still have their etags.
-- KEYS: 4 request, from 5 on those of memories. ARGV: 6 body hash, 7 expire time of the request, 8 now, 9 1 for the last
-- step, 10 how many went in earlier steps, from 11 on id and etag of each. Answers DONE, '<count> <1 when it is over>' and
-- the ids of those that have changed; or REUSED, STALE.
local wrong = stale()
if wrong and wrong[2] then return wrong end
local before = recall(KEYS[4], ARGV[6], ARGV[8])
if before and before[1] == 'REUSED' then return before end
local count, is_over = ARGV[10], '0'
if before then count, is_over = before[2]:match('^(%d+) (%d)$') end
if is_over == '1' then return { 'DONE', before[2], {} } end
count = tonumber(count)
local changed = {}
if not wrong then
  local keys, changes = memory_keys(5, ARGV[2]), no_changes()
  for at = 11, #ARGV, 2 do
    local etag = etag_of(keys, ARGV[at], ARGV[8])
    if etag == ARGV[at + 1] then
      remove_memory(keys, changes, ARGV[at])
      count = count + 1
    elseif etag then
      changed[#changed + 1] = ARGV[at]
    end
  end
  write_changes(keys, changes)
end
local outcome = string.format('%d', count) .. ' ' .. ARGV[9]
record(KEYS[4], ARGV[6], ARGV[7], ARGV[8], outcome)
return { 'DONE', outcome, changed }
