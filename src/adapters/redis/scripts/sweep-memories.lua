-- Takes ended memories of one namespace, also of one that is deleted.
-- KEYS: those of memories. ARGV: 1 number, 2 now, from 3 on ids. Answers DONE.
local keys, changes = memory_keys(1, ARGV[1]), no_changes()
for at = 3, #ARGV do
  local expire = redis.call('ZSCORE', keys.ending, ARGV[1] .. '/' .. ARGV[at])
  if expire and tonumber(expire) <= tonumber(ARGV[2]) then remove_memory(keys, changes, ARGV[at]) end
end
write_changes(keys, changes)
return { 'DONE' }
