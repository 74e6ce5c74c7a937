-- A page of all memories in order of (create time, id). first: 'OLDEST' or 'NEWEST'. after_time, after_id: of the last
-- memory before the page ('': from the beginning). The page ends after max_rows rows, or max_bytes bytes of records.
-- generation: of the model ('': whatever it is). fields: read of each besides.
-- Answers PAGE, rows (see row-library.lua), and create time and id of the last when there may be more; or STALE, MODEL.
local wrong = stale()
if wrong then return wrong end
if generation ~= '' then
  wrong = other_model(generation)
  if wrong then return wrong end
end
local is_oldest_first, limit = first == 'OLDEST', tonumber(max_rows)

-- By bytes, as in the sorted set; Lua compares by the locale of the server.
local function is_before(a, b)
  for at = 1, math.min(#a, #b) do
    local x, y = a:byte(at), b:byte(at)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- How many members come before this position, which may be empty; with `included`, a member at it counts too.
local function count_before(time, id, included)
  local low = redis.call('ZCOUNT', memory_order, '-inf', '(' .. time)
  local high = low + redis.call('ZCOUNT', memory_order, time, time)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', memory_order, middle, middle)[1]
    if is_before(member, id) or (included and member == id) then low = middle + 1 else high = middle end
  end
  return low
end

local rank
if is_oldest_first then
  rank = after_time == '' and 0 or count_before(after_time, after_id, true)
else
  local total = redis.call('ZCARD', memory_order)
  rank = after_time == '' and 0 or total - count_before(after_time, after_id, false)
end
local range = { rank, rank + limit - 1, 'WITHSCORES' }
if not is_oldest_first then table.insert(range, 3, 'REV') end
local members = redis.call('ZRANGE', memory_order, unpack(range))
local rows, bytes, at = {}, 0, 1
while members[at] and bytes < tonumber(max_bytes) do
  local row = read_memory(members[at], fields)
  if row then
    rows[#rows + 1] = row
    bytes = bytes + #(row[2] or '')
  end
  at = at + 2
end
if not members[at] and #members < 2 * limit then return { 'PAGE', rows } end
return { 'PAGE', rows, members[at - 1], members[at - 2] }
