-- Runs of all namespaces of a partition by their score in `runs`, from min to max, in order of (score, id), without those up to
-- (min, after_id).
-- Answers namespace, id and score of each.
local reply = {}
each_in(runs, { min, max }, tonumber(limit), function(member, score)
  local id, namespace_id = member:match('^(.*)/([^/]*)$')
  local name = name_of(namespace_id)
  if not name or (score == min and id <= after_id) then return false end
  reply[#reply + 1] = name
  reply[#reply + 1] = id
  reply[#reply + 1] = score
  return true
end)
return reply
