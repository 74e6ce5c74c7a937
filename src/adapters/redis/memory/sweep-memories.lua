-- Takes ended memories of one namespace, also of one that is deleted, in order, until their terms come to so many bytes.
-- KEYS: those of memories. ARGV: 1 number, 2 now, 3 bytes, from 4 on ids. Answers DONE and how many it has gone through.
local number, now, left = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keys, changes = memory_keys(1, number), no_changes()
local first, at = 4, 4
while ARGV[at] and (left > 0 or at == first) do
  local id = ARGV[at]
  local expire = redis.call('ZSCORE', keys.ending, number .. '/' .. id)
  if expire and tonumber(expire) <= now then
    left = left - redis.call('HSTRLEN', keys.memory .. id, 'terms')
    remove_memory(keys, changes, id)
  end
  at = at + 1
end
write_changes(keys, changes)
return { 'DONE', at - first }
