-- One entry, unless the caller has it as it is.
-- KEYS: 4 the entry. ARGV: 6 the version that the caller has, or nothing.
-- Answers SAME, or {'ENTRY', version, record}; nil when there is none; STALE.
local wrong = stale()
if wrong then return wrong end
local version = redis.call('HGET', KEYS[4], 'version')
if version == ARGV[6] then return { 'SAME' } end
if not version then return nil end
return { 'ENTRY', version, redis.call('HGET', KEYS[4], 'rec') }
