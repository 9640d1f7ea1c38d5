-- Append a group of commits; the answer says whether it is in the log. Everything is explained at the function itself,
-- eventstore/migrations/functions/append_events_*.sql.
-- $1 writer, $2 recorded at, $3 streams, $4 expected revisions, $5 and $6 streams and ids of commands,
-- $7 to $13 stream, revision, type, path, value, headers and command id of each event in log order.
select outcome, head, recorded_at, stale, repeated, token, term
from append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
