-- Reads a room at one moment.
--
-- KEYS  1 rooms    hash: room → state
--       2 ended    hash: session id → record
--       3 answer   string: the kept answer to a request id (need not exist)
--       4 beside   hash: room → what the version before drops from its state
-- ARGV  1 room, then ids of sessions that may have ended
--
-- Returns the server's time {seconds, microseconds}, the room's state, the answer, the records, false where none is, and
-- what stands beside the state.

local ended = {}
for i = 2, #ARGV do
    ended[i - 1] = redis.call('HGET', KEYS[2], ARGV[i])
end
return {redis.call('TIME'), redis.call('HGET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[3]), ended,
    redis.call('HGET', KEYS[4], ARGV[1])}
