-- The change feed of the namespace (see domain/memory/changes.ts): a stream whose ids are '<sequence>-<time>', without gaps,
-- with one field 'c' each: the first letter of the kind and the id of the memory; empty for the beginning, with sequence 0.
-- Trimming keeps the newest entry always, so that it tells the last sequence.

-- See TRIM_STEP and firstKept.
local TRIM_STEP = 20

local function sequence_and_time(entry)
  local sequence, time = entry[1]:match('^(%d+)-(%d+)$')
  return tonumber(sequence), tonumber(time)
end

local function first_kept(oldest, last)
  local first = sequence_and_time(oldest[1])
  for at = 2, #oldest do
    local sequence, time = sequence_and_time(oldest[at])
    local too_many, too_old = last - tonumber(max_changes), tonumber(now) - tonumber(change_retention)
    if sequence > too_many and time > too_old then break end
    first = sequence
  end
  return first
end

local function trim_feed(last, added)
  local oldest = redis.call('XRANGE', change_feed, '-', '+', 'COUNT', 2)
  -- Mostly nothing is to be trimmed, which two entries show.
  if first_kept(oldest, last) == sequence_and_time(oldest[1]) then return end
  oldest = redis.call('XRANGE', change_feed, '-', '+', 'COUNT', added + TRIM_STEP + 1)
  redis.call('XTRIM', change_feed, 'MINID', '=', string.format('%d', first_kept(oldest, last)))
end

local function append_to_feed(made)
  if #made == 0 then return end
  local newest = redis.call('XREVRANGE', change_feed, '+', '-', 'COUNT', 1)[1]
  local last = newest and sequence_and_time(newest)
  if not last then
    last = 0
    redis.call('XADD', change_feed, '0-' .. now, 'c', '')
  end
  for _, change in ipairs(made) do
    last = last + 1
    redis.call('XADD', change_feed, string.format('%d-', last) .. now, 'c', change)
  end
  trim_feed(last, #made)
end

-- The last step of each script that writes memories.
local function write_changes(changes)
  add(counters, { memories = changes.memories, terms = changes.terms })
  add(document_frequencies, changes.frequencies)
  add(sizes, changes.sizes)
  count_indexed(changes.memories)
  -- Detects that an older state was restored: see store-identity.ts.
  if changes.made > 0 then redis.call('HINCRBY', meta, 'changes', changes.made) end
  append_to_feed(changes.feed)
end
