-- Commits what was decided about a room, if the room is still what the decision was made on. It decides nothing.
--
-- All keys are of one bucket, but the homes, which are given only where all keys are on one server.
-- KEYS  1 versions  hash: room → name of its latest commit
--       2 rooms     hash: room → its state: epoch, waiting logins, live sessions, latest commits
--       3 ended     hash: session id → record of an ended session
--       4 due       sorted: room, by the first moment at which time may change it
--       5 absolute  sorted: room, by the first absolute deadline in it
--       6 started   sorted: session id and room, by start; all sessions
--       7 open      the same; live sessions
--       8 gone      sorted: session id and room, by end; ended sessions
--       9 log       sorted: session id, by start; all sessions of this room
--      10 audit     stream: rows of the audit log, a field `r` each
--      11 trail     list: where in `audit` the rows of this room are
--      12 answer    string: the kept answer to a request id
--      13 stamp     string: microseconds of the latest row of `audit`; each row has a later one
--      14 channel   of this room's changes
--      15 beside    hash: room → what the version before drops from its state
--      16 … homes   strings: the room that a session id belongs to; those of the sessions that are new
-- ARGV  1 room, 2 the commit before ('' for none), 3 this commit, 4 the new state, 5 the message for the channel,
--       6 the rest as JSON: due, absolute (scores); started, open, gone {{score, member}…}; closed {member…};
--         log {{score, id}…}; ended {{id, record}…}; forget {{id, member}…}; audit {row…};
--         answer, answer_ms; beside; at (microseconds for the streams, instead of the server's); drop (if nothing is left)
--
-- Returns 1; or 0 if the room has changed since, 2 if an id belongs to another room, and then nothing was done.

local room = ARGV[1]
if (redis.call('HGET', KEYS[1], room) or '') ~= ARGV[2] then
    return 0
end
for i = 16, #KEYS do
    local home = redis.call('GET', KEYS[i])
    if home and home ~= room then
        return 2
    end
end
local rest = cjson.decode(ARGV[6])

local function scored(key, pairs_)
    for _, pair in ipairs(pairs_ or {}) do
        redis.call('ZADD', key, pair[1], pair[2])
    end
end

local function deadline(key, score)
    if score then
        redis.call('ZADD', key, score, room)
    else
        redis.call('ZREM', key, room)
    end
end

local stamp

local function appended(key, row)
    if not stamp then
        local now = redis.call('TIME')
        stamp = math.max(tonumber(rest.at or now[1] * 1000000 + now[2]), tonumber(redis.call('GET', KEYS[13]) or 0) + 1)
    else
        stamp = stamp + 1
    end
    return redis.call('XADD', key, string.format('%.0f-0', stamp), 'r', row)
end

for i = 16, #KEYS do
    redis.call('SET', KEYS[i], room)
end
scored(KEYS[6], rest.started)
scored(KEYS[7], rest.open)
scored(KEYS[8], rest.gone)
scored(KEYS[9], rest.log)
for _, gone in ipairs(rest.closed or {}) do
    redis.call('ZREM', KEYS[7], gone)
end
for _, pair in ipairs(rest.ended or {}) do
    redis.call('HSET', KEYS[3], pair[1], pair[2])
end
for _, pair in ipairs(rest.forget or {}) do
    redis.call('HDEL', KEYS[3], pair[1])
    redis.call('ZREM', KEYS[9], pair[1])
    redis.call('ZREM', KEYS[6], pair[2])
    redis.call('ZREM', KEYS[8], pair[2])
end
for _, row in ipairs(rest.audit or {}) do
    redis.call('RPUSH', KEYS[11], appended(KEYS[10], row))
end
if stamp then
    redis.call('SET', KEYS[13], string.format('%.0f', stamp))
end
if rest.answer then
    redis.call('SET', KEYS[12], rest.answer, 'PX', rest.answer_ms)
end
if rest.beside then
    redis.call('HSET', KEYS[15], room, rest.beside)
else
    redis.call('HDEL', KEYS[15], room)
end
deadline(KEYS[4], rest.due)
deadline(KEYS[5], rest.absolute)
if rest.drop and redis.call('EXISTS', KEYS[9]) == 0 then
    redis.call('HDEL', KEYS[1], room)
    redis.call('HDEL', KEYS[2], room)
else
    redis.call('HSET', KEYS[1], room, ARGV[3])
    redis.call('HSET', KEYS[2], room, ARGV[4])
end
redis.call('SPUBLISH', KEYS[14], ARGV[5])
return 1
