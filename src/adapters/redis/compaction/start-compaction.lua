-- Stores a new run. run_scope: '*' for every user, or 'u' and a user.
-- Answers DONE; RUNNING and the id of a run that overlaps; REPLAY and the recorded id; REUSED, STALE, TOO_MANY.
local wrong = cannot_create()
if wrong then return wrong end
local before = replay()
if before then return before end
local other = redis.call('HGET', active_compactions, '*')
if not other and run_scope == '*' then
  local user = redis.call('HRANDFIELD', active_compactions)
  other = user and redis.call('HGET', active_compactions, user)
end
other = other or redis.call('HGET', active_compactions, run_scope)
if other then return { 'RUNNING', other } end
create_namespace()
redis.call('HSET', run, 'owner', '', 'fence', '0')
redis.call('ZADD', compaction_order, create_time, id)
if due_time ~= '' then redis.call('HSET', active_compactions, run_scope, id) end
write_run('1', '0')
record(id)
return { 'DONE' }
