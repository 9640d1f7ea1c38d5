-- Writes the current state of some streams, one array per column.
INSERT INTO twins (stream, namespace, revision, position, created_at, modified_at, deleted, state)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::boolean[], $8::json[]
)
ON CONFLICT (stream) DO UPDATE SET
    revision = excluded.revision,
    position = excluded.position,
    created_at = excluded.created_at,
    modified_at = excluded.modified_at,
    deleted = excluded.deleted,
    state = excluded.state
