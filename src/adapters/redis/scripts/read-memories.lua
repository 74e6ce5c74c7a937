-- KEYS: 4 what the keys of memories begin with, 5 access counts, 6 last accesses. ARGV: from 6 on id and etag of each that
-- is asked for; the etag is that of the record which the caller has, or nothing.
-- Answers READ and a row for each (see lib/read-memory.lua), with 1 in the place of a record that the caller has; or STALE.
local wrong = stale()
if wrong then return wrong end
local ids = {}
for at = 6, #ARGV, 2 do ids[#ids + 1] = ARGV[at] end
-- Of all at once: a command of a script costs more than what it reads.
local counts = redis.call('HMGET', KEYS[5], unpack(ids))
local rows = {}
for nth, id in ipairs(ids) do
  local held = ARGV[5 + 2 * nth]
  local key = KEYS[4] .. id
  local what = held == '' and 'rec' or 'etag'
  local record, position, embedding = unpack(redis.call('HMGET', key, what, 'pos', 'emb'))
  if held ~= '' then record = record == held and 1 or redis.call('HGET', key, 'rec') end
  local time = counts[nth] and redis.call('ZSCORE', KEYS[6], id)
  rows[nth] = (record or position) and { id, record, position, embedding, counts[nth], time }
end
return { 'READ', rows }
