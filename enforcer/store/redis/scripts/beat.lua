-- Notes when sessions were looked after, unless the note comes so late that they were not.
--
-- KEYS  1 beat  string: UTC seconds
-- ARGV  1 UTC seconds, 2 how many seconds old it may be; none for a clock that is not the server's

local now = redis.call('TIME')
if ARGV[2] ~= '' and now[1] + now[2] / 1000000 - tonumber(ARGV[1]) > tonumber(ARGV[2]) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
