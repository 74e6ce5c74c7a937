-- One entry, unless the caller has it as it is.
-- KEYS: 2 the entry. ARGV: 3 the version that the caller has, or nothing.
-- Answers SAME, or {'ENTRY', version, record}; nil when there is none; STALE.
local wrong = stale()
if wrong then return wrong end
local version = redis.call('HGET', KEYS[2], 'version')
if version == ARGV[3] then return { 'SAME' } end
if not version then return nil end
return { 'ENTRY', version, redis.call('HGET', KEYS[2], 'rec') }
