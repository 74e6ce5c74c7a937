-- A page of all memories in order of (create time, id).
-- KEYS: from 4 on those of memories. ARGV: 6 'OLDEST' or 'NEWEST' (first), 7 create time and 8 id of the last before the
-- page ('': from the beginning), 9 rows and 10 bytes of records after which it ends, 11 generation ('': whatever it is),
-- from 12 on fields. Answers PAGE, rows (see lua/read-memory.lua), and create time and id of the last when there may be
-- more; or STALE, MODEL.
local wrong = stale()
if wrong then return wrong end
local keys = memory_keys(4, ARGV[2])
if ARGV[11] ~= '' then
  wrong = other_model(keys, ARGV[11])
  if wrong then return wrong end
end
local is_oldest_first, limit, max_bytes = ARGV[6] == 'OLDEST', tonumber(ARGV[9]), tonumber(ARGV[10])
local fields = {}
for at = 12, #ARGV do fields[#fields + 1] = ARGV[at] end

-- In the order of bytes, as in the set; that of Lua goes by the locale of the server.
local function is_before(a, b)
  for at = 1, math.min(#a, #b) do
    local x, y = a:byte(at), b:byte(at)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many stand before this place, which need not be taken; with `included`, what stands in it counts too.
local function count_before(time, id, included)
  local low = redis.call('ZCOUNT', keys.order, '-inf', '(' .. time)
  local high = low + redis.call('ZCOUNT', keys.order, time, time)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', keys.order, middle, middle)[1]
    if is_before(member, id) or (included and member == id) then low = middle + 1 else high = middle end
  end
  return low
end

local first
if is_oldest_first then
  first = ARGV[7] == '' and 0 or count_before(ARGV[7], ARGV[8], true)
else
  local total = redis.call('ZCARD', keys.order)
  first = ARGV[7] == '' and 0 or total - count_before(ARGV[7], ARGV[8], false)
end
local range = { first, first + limit - 1, 'WITHSCORES' }
if not is_oldest_first then table.insert(range, 3, 'REV') end
local members = redis.call('ZRANGE', keys.order, unpack(range))
local rows, bytes, at = {}, 0, 1
while members[at] and bytes < max_bytes do
  local row = read_memory(keys, members[at], fields)
  if row then
    rows[#rows + 1] = row
    bytes = bytes + #(row[2] or '')
  end
  at = at + 2
end
if not members[at] and #members < 2 * limit then return { 'PAGE', rows } end
return { 'PAGE', rows, members[at - 1], members[at - 2] }
