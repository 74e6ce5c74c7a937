-- Reads the neighbours of memories in their sessions: at most `count` on each side, of the `reach` nearest, that pass the filter.
-- states: the tokens of its states, has_active: '1' when ACTIVE is one of them. required: tokens that all must have. as_of: ''
-- for now. Stops after the id with which the records take max_bytes.
-- Answers READ, the rows of all neighbours (see row-library.lua), and for each id that it came to, by position, the places of its
-- neighbours among the rows; or STALE.
local wrong = stale()
if wrong then return wrong end
count, reach, max_bytes, now, as_of = tonumber(count), tonumber(reach), tonumber(max_bytes), tonumber(now), tonumber(as_of)

local function has(tokens, token) return tokens:find(',' .. token .. ',', 1, true) ~= nil end

local function has_any(tokens, wanted)
  for _, token in ipairs(wanted) do
    if has(tokens, token) then return true end
  end
  return false
end

-- As matchesFilter.
local function passes(id)
  local values = redis.call('HMGET', memory_prefix .. id, 'tok', 'expire', 'created', 'ended', 'from', 'until')
  if not values[1] then return false end
  local tokens = ',' .. values[1] .. ','
  for _, token in ipairs(required) do
    if not has(tokens, token) then return false end
  end
  local expire = tonumber(values[2] or nil)
  if expire and expire <= now then return false end
  if not as_of then return has_any(tokens, states) end
  local ended, from, to = tonumber(values[4] or nil), tonumber(values[5] or nil), tonumber(values[6] or nil)
  if tonumber(values[3]) > as_of or (from and from > as_of) or (to and to <= as_of) then return false end
  if ended and ended > as_of then return has_active == '1' end
  return has_any(tokens, states)
end

-- The nearest that pass, nearest first. The first look is usually enough.
local function nearest(session, from, to, order)
  local found, looked = {}, 0
  for _, size in ipairs({ count, reach - count }) do
    if #found == count then break end
    local range = { session, from, to, 'BYSCORE', 'LIMIT', looked, size }
    if order then table.insert(range, 5, order) end
    for _, id in ipairs(redis.call('ZRANGE', unpack(range))) do
      if #found < count and passes(id) then found[#found + 1] = id end
    end
    looked = looked + size
  end
  return found
end

local rows, places, bytes, lists = {}, {}, 0, {}
local function place_of(id)
  if not places[id] then
    rows[#rows + 1] = read_memory(id, {})
    places[id] = #rows
    bytes = bytes + #(rows[#rows][2] or '')
  end
  return places[id]
end

for index, id in ipairs(ids) do
  if index > 1 and bytes >= max_bytes then break end
  local list = {}
  local tok, position = unpack(redis.call('HMGET', memory_prefix .. id, 'tok', 'pos'))
  local token = (',' .. (tok or '')):match(',(s%x+)')
  if token and position ~= '0' then
    local session = session_prefix .. token
    local before = nearest(session, '(' .. position, '-inf', 'REV')
    for at = #before, 1, -1 do list[#list + 1] = place_of(before[at]) end
    for _, after in ipairs(nearest(session, '(' .. position, '+inf')) do list[#list + 1] = place_of(after) end
  end
  lists[index] = list
end
return { 'READ', rows, lists }
