-- Events of one stream in order of revision.
-- $1 stream, $2 after which revision, $3 up to which revision (inclusive).
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where stream = $1 and revision > $2 and revision <= $3
order by revision
