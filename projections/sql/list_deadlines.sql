-- Watches in the order in which something is due, ended ones at the end, latest first.
-- $1 namespace or null, $2 whether ended ones are wanted, $3 how many.
SELECT d.stream, d.watch
FROM deadlines AS d
WHERE ($1::text IS NULL OR split_part(d.stream, ':', 2) = $1) AND ($2::boolean OR d.stage <> 'ended')
ORDER BY d.stage = 'ended', d.next_at NULLS LAST, d.watch ->> 'gone_at' DESC, d.stream, d.watch_id
LIMIT $3
