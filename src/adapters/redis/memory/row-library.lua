-- The row of a memory: {id, record, position, embedding, accesses, last access, and the named `fields`}; false when it
-- does not exist. When the record still has the etag of the caller's record (`known_etag`), 1 replaces the record.
local function read_memory(id, fields, known_etag)
  local key = memory_prefix .. id
  local record, position, embedding = unpack(redis.call('HMGET', key, known_etag and 'etag' or 'rec', 'pos', 'emb'))
  if known_etag then record = record == known_etag and 1 or redis.call('HGET', key, 'rec') end
  if not record and not position then return false end
  local row = {
    id, record, position, embedding, redis.call('HGET', access_counts, id), redis.call('ZSCORE', last_accesses, id),
  }
  if #fields > 0 then
    for _, value in ipairs(redis.call('HMGET', key, unpack(fields))) do row[#row + 1] = value end
  end
  return row
end
