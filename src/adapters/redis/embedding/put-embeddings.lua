-- Writes embeddings, and evicts those that were written first beyond max_entries. embedding_prefix: of their keys.
-- Embeddings that one call evicts beyond as many as it writes.
local MORE = 256

local latest = redis.call('ZRANGE', embedding_order, -1, -1, 'WITHSCORES')
local position = tonumber(latest[2] or 0)
-- Redis expires them a minute after their expire time, to allow for its own clock.
local milliseconds = math.max(0, math.ceil(tonumber(expire_time) - tonumber(now))) + 60000
for index, entry in ipairs(entries) do
  redis.call('SET', entry_keys[index], entry.value, 'PX', string.format('%d', milliseconds))
  redis.call('ZADD', embedding_order, string.format('%d', position + index), entry.id)
end
local excess = redis.call('ZCARD', embedding_order) - tonumber(max_entries)
if excess <= 0 then return 0 end
local oldest = redis.call('ZPOPMIN', embedding_order, math.min(excess, #entries + MORE))
for at = 1, #oldest, 2 do redis.call('UNLINK', embedding_prefix .. oldest[at]) end
return #oldest / 2
