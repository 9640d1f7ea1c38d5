-- Watched policies with their watches that have not ended. $1 streams.
SELECT
    p.stream, p.position, p.policy_revision AS revision, p.told_revision, p.created_at, p.modified_at, p.deleted,
    p.policy AS state,
    (
        SELECT coalesce(json_agg(d.watch ORDER BY d.watch_id), '[]')
        FROM deadlines AS d
        WHERE d.stream = p.stream AND d.stage <> 'ended'
    ) AS watches
FROM watched_policies AS p
WHERE p.stream = ANY($1::text[])
