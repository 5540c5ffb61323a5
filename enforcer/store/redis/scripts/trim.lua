-- Forgets the audit rows of a bucket up to a row.
--
-- KEYS  1 audit  stream: rows of the audit log
--       2 … trails  lists: where in `audit` the rows of a room are, oldest first; those of the rooms concerned
-- ARGV  1 the stamp of the first row to keep

local first = tonumber(ARGV[1])
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1] .. '-0')
for i = 2, #KEYS do
    local id = redis.call('LINDEX', KEYS[i], 0)
    while id and tonumber(id:match('%d+')) < first do
        redis.call('LPOP', KEYS[i])
        id = redis.call('LINDEX', KEYS[i], 0)
    end
end
return 1
