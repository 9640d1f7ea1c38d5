-- What a command or an exact read needs, in one round trip and one snapshot: for every stream the row of the read model
-- (only where nothing is known yet), and the events after it or after what is known.
-- $1 stream names, $2 revisions known (0: nothing). Rows of the read model have no type and come before the events.
WITH wanted AS (
    SELECT w.stream, w.known, t.revision, t.position, t.created_at, t.modified_at, t.deleted, t.state
    FROM unnest($1::text[], $2::bigint[]) AS w (stream, known)
    LEFT JOIN twins AS t ON w.known = 0 AND t.stream = w.stream COLLATE "C"
)
SELECT
    stream, revision, position, NULL::text AS type, NULL::text AS path, state AS value, NULL::json AS headers,
    modified_at AS at, NULL::text AS command_id, created_at, deleted
FROM wanted
WHERE revision IS NOT NULL
UNION ALL
(
    SELECT
        e.stream, e.revision, e.position, e.type, e.path, e.value, e.headers,
        e.recorded_at, e.command_id, NULL::timestamptz, NULL::boolean
    FROM wanted AS w
    CROSS JOIN LATERAL (
        SELECT * FROM events AS e
        WHERE e.stream = w.stream COLLATE "C" AND e.revision > greatest(w.known, coalesce(w.revision, 0))
    ) AS e
)
