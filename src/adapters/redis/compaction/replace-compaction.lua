-- Replaces a run that has expected_version.
-- Answers DONE; MISSING; CHANGED and the version; REPLAY and the recorded id; REUSED, STALE.
local wrong = stale()
if wrong then return wrong end
local before = replay()
if before then return before end
local version, working, lease_until = unpack(redis.call('HMGET', run, 'version', 'working', 'until'))
if not version then return { 'MISSING' } end
if version ~= expected_version then return { 'CHANGED', version } end
replace_run(version, working, lease_until)
record(id)
return { 'DONE' }
