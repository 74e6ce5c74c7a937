-- The name of a namespace by its id; nil when it was deleted.
local function name_of(namespace_id)
  local name = redis.call('HGET', namespace_names, namespace_id)
  if name and redis.call('HGET', namespaces, name) == namespace_id then return name end
  return nil
end

-- Calls add(member, score) for the members of a range, page by page, until it has returned true `limit` times. range: the arguments
-- of ZRANGE BYSCORE behind the key.
local function each_in(key, range, limit, add)
  local from, left = 0, limit
  while left > 0 do
    local command = { 'ZRANGE', key, range[1], range[2], 'BYSCORE' }
    if range.reversed then command[#command + 1] = 'REV' end
    for _, word in ipairs({ 'LIMIT', from, left, 'WITHSCORES' }) do command[#command + 1] = word end
    local page = redis.call(unpack(command))
    if #page == 0 then return end
    for at = 1, #page, 2 do
      if add(page[at], page[at + 1]) then left = left - 1 end
    end
    from = from + #page / 2
  end
end
