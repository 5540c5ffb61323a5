-- Stores a change of a webhook.
--
-- KEYS  1 hook        hash: cursor, failing_since, status, off
--       2 deliveries  hash: id → the delivery as JSON
--       3 due         sorted: id, by when it is tried next
--       4 dead        sorted: id, by when it happened
-- ARGV  1 JSON: set {field, value…} (may be empty), unset {field…}; put {{id, delivery, due or false, at}…}; done {id…}

local change = cjson.decode(ARGV[1])
for i = 1, #change.set, 2 do
    redis.call('HSET', KEYS[1], change.set[i], change.set[i + 1])
end
for _, field in ipairs(change.unset) do
    redis.call('HDEL', KEYS[1], field)
end
for _, row in ipairs(change.put) do
    redis.call('HSET', KEYS[2], row[1], row[2])
    if row[3] then
        redis.call('ZADD', KEYS[3], row[3], row[1])
        redis.call('ZREM', KEYS[4], row[1])
    else
        redis.call('ZADD', KEYS[4], row[4], row[1])
        redis.call('ZREM', KEYS[3], row[1])
    end
end
for _, id in ipairs(change.done) do
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    redis.call('ZREM', KEYS[4], id)
end
return 1
