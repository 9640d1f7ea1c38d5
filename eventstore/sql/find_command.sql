-- The event that a command caused.
-- $1 stream, $2 command id.
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where stream = $1 and command_id = $2
