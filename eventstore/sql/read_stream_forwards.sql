-- A page of one stream's events within bounds of the log; within a stream revision and position rise together.
-- $1 stream, $2 after which revision, $3 after which position, $4 up to which position (inclusive), $5 types or null, $6 limit.
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where stream = $1 and revision > $2 and position > $3 and position <= $4
    and ($5::text[] is null or type = any ($5::text[]))
order by revision
limit $6
