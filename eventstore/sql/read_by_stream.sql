-- A page of the log, stream by stream. The bounds on the stream alone say nothing new but to the planner: a plan that was
-- made for a log without statistics then walks the index, too.
-- $1 and $2 after which stream and revision, $3 up to which position (inclusive), $4 limit.
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where (stream, revision) > ($1, $2) and stream >= $1 and stream <= U&'\+10FFFF' and position <= $3
order by stream, revision
limit $4
