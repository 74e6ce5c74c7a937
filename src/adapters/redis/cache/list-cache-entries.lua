-- A step through the entries of a namespace, newest first by create time and id, expired ones included.
-- after_time, after_id: of the entry before the first ('': from the newest on).
-- Answers PAGE and, for each entry, id, create time and fields ('': it was deleted or invalidated); STALE.
local wrong = stale()
if wrong then return wrong end
-- By bytes, as Redis orders them; Lua compares strings by the rules of a language.
local function not_before(a, b)
  for at = 1, math.min(#a, #b) do
    local one, other = a:byte(at), b:byte(at)
    if one ~= other then return one > other end
  end
  return #a >= #b
end

local rank = 0
if after_time ~= '' then
  -- The entry itself may be deleted: a binary search finds its rank among those of its time.
  rank = redis.call('ZCOUNT', cache_order, '(' .. after_time, '+inf')
  local ties = redis.call('ZCOUNT', cache_order, after_time, after_time)
  local from, to = rank, rank + ties
  while from < to do
    local middle = math.floor((from + to) / 2)
    local member = redis.call('ZREVRANGE', cache_order, middle, middle)[1]
    if not_before(member, after_id) then from = middle + 1 else to = middle end
  end
  rank = from
end
local page = redis.call('ZREVRANGE', cache_order, rank, rank + tonumber(limit) - 1, 'WITHSCORES')
local invalidations = invalidations_of(counters, cache_invalidations)
local answer = { 'PAGE' }
for at = 1, #page, 2 do
  local fields = redis.call('HGET', cache_fields, page[at]) or ''
  if is_invalidated(invalidations, fields:match('^%d+ %x+ (%S*) ')) then fields = '' end
  answer[#answer + 1] = page[at]
  answer[#answer + 1] = page[at + 1]
  answer[#answer + 1] = fields
end
return answer
