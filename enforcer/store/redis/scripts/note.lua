-- Notes that a subject was signalled; of two times the later one stays.
--
-- KEYS  1 signal  string: before when (UTC seconds), and until when that is remembered, with a blank between
-- ARGV  1 before when, 2 until when, 3 now by the clock that decides, 4 milliseconds that it is kept

local known = redis.call('GET', KEYS[1])
local at = ARGV[1]
if known then
    local before, kept = known:match('^(%S+) (%S+)$')
    if tonumber(kept) > tonumber(ARGV[3]) and tonumber(before) > tonumber(at) then
        at = before
    end
end
redis.call('SET', KEYS[1], at .. ' ' .. ARGV[2], 'PX', ARGV[4])
return 1
