-- Takes policies for which something is due and on which nobody works. $1 the present time, $2 how many,
-- $3 owner, $4 seconds that the claim lasts. Rows that another process is claiming are passed over; whoever comes later
-- finds its claim and gets nothing.
WITH due AS (
    SELECT p.stream
    FROM watched_policies AS p
    LEFT JOIN announcer_claims AS c ON c.stream = p.stream
    WHERE p.due_at <= $1 AND (c.stream IS NULL OR (c.until <= clock_timestamp() AND c.position <= p.position))
    ORDER BY p.due_at
    LIMIT $2
    FOR UPDATE OF p SKIP LOCKED
)
INSERT INTO announcer_claims AS c (stream, owner, until)
SELECT due.stream, $3, clock_timestamp() + make_interval(secs => $4) FROM due
ON CONFLICT (stream) DO UPDATE SET owner = excluded.owner, until = excluded.until, position = 0
WHERE c.until <= clock_timestamp()
RETURNING c.stream
