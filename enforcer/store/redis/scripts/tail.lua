-- Reads the audit log of a bucket behind a row, at one moment.
--
-- KEYS  1 audit    stream: rows of the audit log
--       2 stamp    string: microseconds of the latest row
--       3 trimmed  string: microseconds of the last row that was forgotten
-- ARGV  1 the stamp of the row, 2 how many rows at most, 0 for none
--
-- Returns the latest row's stamp and the last forgotten one's, false where none is, and the rows.

local rows = {}
if tonumber(ARGV[2]) > 0 then
    rows = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
end
return {redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3]), rows}
