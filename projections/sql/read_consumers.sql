-- Every consumer with its checkpoint, who holds it, and how far the log has gone on since.
-- behind_seconds is the age of the first event that it has not taken yet. A rebuild that reads stream by stream has no
-- position in between: how many events it has stands for it.
SELECT
    c.name,
    c.version,
    coalesce(l.events, c.position) AS position,
    CASE WHEN c.expires_at >= clock_timestamp() THEN c.owner END AS owner,
    greatest(head.position - coalesce(l.events, c.position), 0) AS behind_events,
    coalesce(greatest(extract(epoch FROM clock_timestamp() - next.recorded_at), 0), 0)::float8 AS behind_seconds
FROM consumers AS c
LEFT JOIN rebuild_loads AS l ON l.name = c.name
CROSS JOIN (SELECT coalesce(max(position), 0) AS position FROM events) AS head
LEFT JOIN events AS next ON next.position = c.position + 1
ORDER BY c.name
