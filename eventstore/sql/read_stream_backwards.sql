-- A page of one stream's events within bounds of the log, latest first.
-- $1 stream, $2 before which revision, $3 after which position, $4 up to which position (inclusive), $5 types or null, $6 limit.
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where stream = $1 and revision < $2 and position > $3 and position <= $4
    and ($5::text[] is null or type = any ($5::text[]))
order by revision desc
limit $6
