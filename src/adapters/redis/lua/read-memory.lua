-- What a memory is read from: {id, record, position, embedding, accesses, last access, and what `fields` names}; false
-- when it is not there. With the etag of the record that the caller has (`held`), 1 stands in the place of that record.
local function read_memory(keys, id, fields, held)
  local key = keys.memory .. id
  local record, position, embedding = unpack(redis.call('HMGET', key, held and 'etag' or 'rec', 'pos', 'emb'))
  if held then record = record == held and 1 or redis.call('HGET', key, 'rec') end
  if not record and not position then return false end
  local row = {
    id, record, position, embedding, redis.call('HGET', keys.access, id), redis.call('ZSCORE', keys.accessed, id),
  }
  if #fields > 0 then
    for _, value in ipairs(redis.call('HMGET', key, unpack(fields))) do row[#row + 1] = value end
  end
  return row
end
