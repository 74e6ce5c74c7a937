-- The revisions of memories: see NamespaceRedisKeys.revisions. max_revisions: how many of the last ones of a memory are kept.

-- Keeps the record of a memory, which is replaced by a version with this update time. Returns the number of the revision,
-- which the new version gets in its field `rev`. It rises also when no revision is kept.
local function keep_revision(id, replace_time)
  local key = revisions_prefix .. id
  local record, last = unpack(redis.call('HMGET', memory_prefix .. id, 'rec', 'rev'))
  local number = (tonumber(last) or 0) + 1
  local kept = tonumber(max_revisions)
  if kept > 0 then
    -- Not by format, which cuts short binary texts at a zero.
    redis.call('HSET', key, string.format('%d', number), replace_time .. ' ' .. (record or ''))
  end
  -- The kept ones are without gaps.
  local old = number - math.max(kept, 1)
  while redis.call('HDEL', key, string.format('%d', old)) == 1 do old = old - 1 end
  return string.format('%d', number)
end
