-- Counts lookups, and hits as uses of their entries by the rule of the last put. Answers DONE, STALE.
local wrong = stale()
if wrong then return wrong end
redis.call('HINCRBY', counters, 'exact_hits', exact_hits)
redis.call('HINCRBY', counters, 'semantic_hits', semantic_hits)
redis.call('HINCRBY', counters, 'misses', misses)
for _, detail in ipairs(details) do redis.call('HINCRBYFLOAT', counters, detail.name, detail.added) end
if #uses == 0 then return { 'DONE' } end
local rule = cjson.decode(redis.call('HGET', counters, 'cache_rule') or first_rule)
local clock = clock_of_scores()
for _, use in ipairs(uses) do
  local usage = read_usage(use.id, tonumber(default_cost))
  if usage and usage.order ~= '-' then
    usage.uses = math.min(tonumber(max_uses), usage.uses + tonumber(use.count))
    usage.last_use = math.max(usage.last_use, tonumber(use.last_use))
    write_score(rule, use.id, usage, keep_score(rule, usage, scored_fields(rule, use.id), clock))
  end
end
return { 'DONE' }
