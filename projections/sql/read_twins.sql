-- The rows of some streams. $1 stream names.
SELECT stream, revision, position, created_at, modified_at, deleted, state
FROM twins
WHERE stream = ANY ($1::text[])
