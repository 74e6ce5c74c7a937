-- The stored form of a compaction: `run` is its HASH of `rec`, `version`, `due` (see dueTimeOf; empty: it has ended), `working`
-- ('1': it is under way), and the lease: `owner`, `fence`, `until`. The arguments id, rec, due_time, end_time and under_way are
-- those of the record that is written.

-- In unfinished_compactions and ended_compactions.
local function run_member()
  return id .. '/' .. namespace_id
end

local function free_time(due, lease_until)
  return string.format('%.0f', math.max(tonumber(due), tonumber(lease_until)))
end

-- Writes the run with this version, and a lease until a time.
local function write_run(version, lease_until)
  redis.call('HSET', run, 'rec', rec, 'version', version, 'due', due_time, 'working', under_way, 'until', lease_until)
  if due_time == '' then
    redis.call('ZREM', unfinished_compactions, run_member())
    redis.call('ZADD', ended_compactions, end_time, run_member())
    if redis.call('HGET', active_compactions, run_scope) == id then
      redis.call('HDEL', active_compactions, run_scope)
    end
  else
    redis.call('ZADD', unfinished_compactions, free_time(due_time, lease_until), run_member())
  end
  redis.call('HINCRBY', meta, 'changes', 1)
end

-- Writes the next version of a run that was under way ('1') with a lease until a time.
local function replace_run(version, was_under_way, lease_until)
  if was_under_way == '1' and under_way ~= '1' then lease_until = '0' end
  write_run(string.format('%d', tonumber(version) + 1), lease_until)
end
