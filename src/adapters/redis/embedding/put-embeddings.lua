-- Keeps embeddings, and lets go of those that were written longest ago beyond the bound.
-- KEYS: 1 embeddingOrder, from 2 on one for each. ARGV: 1 what their keys begin with, 2 how many there may be, 3 now,
-- 4 expire time, from 5 on key and value in turn.
-- How many more than it writes one call removes at most.
local MORE = 256

local latest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local place = tonumber(latest[2] or 0)
-- Redis removes them a minute after their time, whatever its own clock says.
local milliseconds = math.max(0, math.ceil(tonumber(ARGV[4]) - tonumber(ARGV[3]))) + 60000
local written = #KEYS - 1
for index = 1, written do
  local key, value = ARGV[3 + 2 * index], ARGV[4 + 2 * index]
  redis.call('SET', KEYS[1 + index], value, 'PX', string.format('%d', milliseconds))
  redis.call('ZADD', KEYS[1], string.format('%d', place + index), key)
end
local excess = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])
if excess <= 0 then return 0 end
local oldest = redis.call('ZPOPMIN', KEYS[1], math.min(excess, written + MORE))
for at = 1, #oldest, 2 do redis.call('UNLINK', ARGV[1] .. oldest[at]) end
return #oldest / 2
