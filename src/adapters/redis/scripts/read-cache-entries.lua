-- Cache entries, each unless the caller has it as it is.
-- KEYS: 1 meta, 2 namespaces, then for each an entry.
-- ARGV: for each 1 name (tenant:namespace), 2 the number that the caller knows, 3 the version that the caller has, or nothing;
-- '-' where no entry is asked for, whatever its key.
-- Answers the generation of the vectors, and for each 1 when the caller has it, 0 when there is none, {version, record}, or
-- {number} where the namespace has another one (false: it is not there).
local answers = { redis.call('HGET', KEYS[1], 'generation') }
local name, number
for nth = 1, #KEYS - 2 do
  local at = 3 * nth - 2
  local held = ARGV[at + 2]
  if ARGV[at] ~= name then
    name = ARGV[at]
    number = redis.call('HGET', KEYS[2], name)
  end
  if number ~= ARGV[at + 1] then
    answers[nth + 1] = { number }
  elseif held == '-' then
    answers[nth + 1] = 0
  else
    local version = redis.call('HGET', KEYS[nth + 2], 'version')
    if not version then
      answers[nth + 1] = 0
    elseif version == held then
      answers[nth + 1] = 1
    else
      answers[nth + 1] = { version, redis.call('HGET', KEYS[nth + 2], 'rec') }
    end
  end
end
return answers
