-- Writes how far watched policies have got that have not changed themselves. $1 streams, $2 positions, $3 revisions of
-- their announcements, $4 when something is due next.
UPDATE watched_policies AS p
SET position = m.position, told_revision = m.told_revision, due_at = m.due_at
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS m (stream, position, told_revision, due_at)
WHERE p.stream = m.stream COLLATE "C"
