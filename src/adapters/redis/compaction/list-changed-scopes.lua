-- Users of all namespaces of a partition: first those whose first change was at `since` or before, oldest first; then those that have
-- changed at least min_changes times, most often first.
-- Answers namespace, user, time of the first change and number of changes of each.
local reply, found = {}, 0
local function add(member, first_change)
  local at = member:find('/', 1, true)
  local name = name_of(member:sub(1, at - 1))
  if not name then return false end
  reply[#reply + 1] = name
  reply[#reply + 1] = member:sub(at + 1)
  reply[#reply + 1] = first_change
  reply[#reply + 1] = redis.call('ZSCORE', changed_scope_counts, member)
  found = found + 1
  return true
end
each_in(changed_scopes, { '-inf', since }, tonumber(limit), add)
each_in(changed_scope_counts, { '+inf', min_changes, reversed = true }, tonumber(limit) - found, function(member)
  local first_change = redis.call('ZSCORE', changed_scopes, member)
  return tonumber(first_change) > tonumber(since) and add(member, first_change)
end)
return reply
