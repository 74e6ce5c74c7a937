-- A step through the entries of a namespace, the newest first by create time and id, also those that have ended.
-- KEYS: 4 cacheOrder, 5 cacheFacts. ARGV: 6 how many, 7 create time and 8 id of the entry before the first, or nothing.
-- Answers {'PAGE', id, create time, facts, ...}, STALE.
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

local order, limit, created, id = KEYS[4], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local rank = 0
if created ~= '' then
  -- The entry itself may be gone: its place among those of its time is sought.
  rank = redis.call('ZCOUNT', order, '(' .. created, '+inf')
  local ties = redis.call('ZCOUNT', order, created, created)
  local from, to = rank, rank + ties
  while from < to do
    local middle = math.floor((from + to) / 2)
    if not_before(redis.call('ZREVRANGE', order, middle, middle)[1], id) then from = middle + 1 else to = middle end
  end
  rank = from
end
local page = redis.call('ZREVRANGE', order, rank, rank + limit - 1, 'WITHSCORES')
local answer = { 'PAGE' }
for at = 1, #page, 2 do
  answer[#answer + 1] = page[at]
  answer[#answer + 1] = page[at + 1]
  answer[#answer + 1] = redis.call('HGET', KEYS[5], page[at]) or ''
end
return answer
