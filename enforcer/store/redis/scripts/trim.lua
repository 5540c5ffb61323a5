-- Forgets the audit rows of a bucket up to a row.
--
-- KEYS  1 audit  stream: rows of the audit log
--       2 trimmed  string: microseconds of the last row that was forgotten
--       3 … trails  lists: where in `audit` the rows of a room are, oldest first; those of the rooms concerned
-- ARGV  1 the stamp of the first row to keep

local first = tonumber(ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1] .. '-0')
if first - 1 > tonumber(redis.call('GET', KEYS[2]) or 0) then
    redis.call('SET', KEYS[2], string.format('%.0f', first - 1))
end
for i = 3, #KEYS do
    local id = redis.call('LINDEX', KEYS[i], 0)
    while id and tonumber(id:match('%d+')) < first do
        redis.call('LPOP', KEYS[i])
        id = redis.call('LINDEX', KEYS[i], 0)
    end
end
return 1
