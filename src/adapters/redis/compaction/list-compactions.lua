-- Runs of a namespace, newest first, after (after_time, after_id); after_time: '+inf' for the first.
-- Answers DONE, and record and version of each; or STALE.
local wrong = stale()
if wrong then return wrong end
local reply, left, from = { 'DONE' }, tonumber(limit), 0
while left > 0 do
  local page = redis.call(
    'ZRANGE', compaction_order, after_time, '-inf', 'BYSCORE', 'REV', 'LIMIT', from, left, 'WITHSCORES'
  )
  if #page == 0 then break end
  for at = 1, #page, 2 do
    if page[at + 1] ~= after_time or page[at] < after_id then
      local rec, version = unpack(redis.call('HMGET', compaction_prefix .. page[at], 'rec', 'version'))
      reply[#reply + 1] = page[at]
      reply[#reply + 1] = rec
      reply[#reply + 1] = version
      left = left - 1
    end
  end
  from = from + #page / 2
end
return reply
