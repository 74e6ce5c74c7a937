-- Cache entries, each unless the caller has it as it is.
-- KEYS: 1 meta, 2 namespaces, then for each an entry.
-- ARGV: for each the version that the caller has, or nothing, or '-' where no entry is asked for, whatever its key; in front
-- of it '@', a name (tenant:namespace) and the number that the caller knows, where those are not the ones of the one before.
-- Answers the generation of the vectors, and for each 1 when the caller has it, 0 when there is none, {version, record}, or
-- {number} where the namespace has another one (false: it is not there).
local answers = { redis.call('HGET', KEYS[1], 'generation') }
local known, number
local at = 1
for nth = 3, #KEYS do
  if ARGV[at] == '@' then
    known = ARGV[at + 2]
    number = redis.call('HGET', KEYS[2], ARGV[at + 1])
    at = at + 3
  end
  local held = ARGV[at]
  at = at + 1
  if number ~= known then
    answers[nth - 1] = { number }
  elseif held == '-' then
    answers[nth - 1] = 0
  else
    local version = redis.call('HGET', KEYS[nth], 'version')
    if not version then
      answers[nth - 1] = 0
    elseif version == held then
      answers[nth - 1] = 1
    else
      answers[nth - 1] = { version, redis.call('HGET', KEYS[nth], 'rec') }
    end
  end
end
return answers
