-- Scores of cache entries, as eviction.ts defines them. A rule is a ScoreRule. Numbers are written with all their digits.

local function exactly(number)
  return string.format('%.17g', number)
end

-- The usage of an entry: order, uses, last_use, cost. Of one that a version wrote which knew one order only, with the
-- default cost. Nil where nothing is known.
local function read_usage(id, default_cost)
  local order, uses, rest = usage_of(id)
  if order == '-' then return { order = order, uses = tonumber(uses), last_use = 0, cost = 0 } end
  if uses then
    local last_use, cost = rest:match('^(%S+) (%S+)$')
    return { order = order, uses = tonumber(uses), last_use = tonumber(last_use), cost = tonumber(cost) }
  end
  local score = redis.call('ZSCORE', cache_uses, id)
  if not score then return nil end
  return { order = order, uses = 1, last_use = tonumber(score), cost = default_cost }
end

local function write_usage(id, usage)
  local fields = { usage.order, exactly(usage.uses), exactly(usage.last_use), exactly(usage.cost) }
  redis.call('HSET', cache_usage, id, table.concat(fields, ' '))
end

local function bytes_of(id)
  local fields = redis.call('HGET', cache_fields, id)
  return fields and tonumber(fields:match('^(%d+) ')) or 0
end

local function clock_of_scores()
  return tonumber(redis.call('HGET', counters, 'cache_clock') or 0)
end

-- bytes: of the entry, needed by a rule with a worth of bytes.
local function worth_of(rule, usage, bytes)
  local worth = usage.uses * usage.cost
  if rule.worth == 'byte' then return worth / math.max(1, bytes) end
  return worth
end

local function keep_score(rule, usage, entry, clock)
  if rule.worth ~= 'none' then return clock + worth_of(rule, usage, entry.bytes) end
  return rule.lastUse * usage.last_use + rule.created * entry.created + rule.expires * entry.expires
    + rule.uses * usage.uses
end

-- What keep_score reads of a stored entry beside its usage.
local function scored_fields(rule, id)
  return {
    bytes = rule.worth == 'byte' and bytes_of(id) or 0,
    created = rule.created ~= 0 and tonumber(redis.call('ZSCORE', cache_order, id)) or 0,
    expires = rule.expires ~= 0 and tonumber(redis.call('ZSCORE', cache_expiry, id)) or 0,
  }
end

-- Writes usage and score, in the order of the rule.
local function write_score(rule, id, usage, score)
  if usage.order ~= rule.order and usage.order ~= '-' then redis.call('ZREM', scores_of(usage.order), id) end
  usage.order = rule.order
  write_usage(id, usage)
  redis.call('ZADD', scores_of(rule.order), exactly(score), id)
end
