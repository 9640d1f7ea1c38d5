-- The events of some streams after a revision, in order. $1 streams, $2 revisions.
SELECT e.position, e.stream, e.revision, e.type, e.path, e.value, e.headers, e.recorded_at, e.command_id
FROM unnest($1::text[], $2::bigint[]) AS w (stream, revision)
CROSS JOIN LATERAL (
    SELECT * FROM events AS e WHERE e.stream = w.stream COLLATE "C" AND e.revision > w.revision
) AS e
ORDER BY e.position
