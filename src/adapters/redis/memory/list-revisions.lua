-- Revisions of a memory, newest first: those with a number below `before` ('': all), at most `limit`, and of at most max_bytes
-- together, but one at least.
-- Answers READ, the session position of the memory, a list of alternating numbers and values (see
-- NamespaceRedisKeys.revisions), and 1 when older ones are kept, else 0; or MISSING, STALE.
local wrong = stale()
if wrong then return wrong end
if not etag_of(id, now) then return { 'MISSING' } end
local key = revisions_prefix .. id
local position, last = unpack(redis.call('HMGET', memory_prefix .. id, 'pos', 'rev'))
local number = tonumber(last) or 0
if before ~= '' then number = math.min(number, tonumber(before) - 1) end
local found, left, has_more = {}, tonumber(max_bytes), 0
while number > 0 do
  local name = string.format('%d', number)
  local bytes = redis.call('HSTRLEN', key, name)
  if bytes == 0 then break end
  left = left - bytes
  if #found == 2 * tonumber(limit) or (#found > 0 and left < 0) then
    has_more = 1
    break
  end
  found[#found + 1] = name
  found[#found + 1] = redis.call('HGET', key, name)
  number = number - 1
end
return { 'READ', position or '0', found, has_more }
