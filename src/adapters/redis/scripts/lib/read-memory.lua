-- What a memory is read from: {id, record, position, embedding, accesses, last access, and what `fields` names}; false
-- when it is not there.
local function read_memory(keys, id, fields)
  local key = keys.memory .. id
  local record, position, embedding = unpack(redis.call('HMGET', key, 'rec', 'pos', 'emb'))
  if not record and not position then return false end
  local row = {
    id, record, position, embedding, redis.call('HGET', keys.access, id), redis.call('ZSCORE', keys.accessed, id),
  }
  if #fields > 0 then
    for _, value in ipairs(redis.call('HMGET', key, unpack(fields))) do row[#row + 1] = value end
  end
  return row
end
