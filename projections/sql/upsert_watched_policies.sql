-- Writes watched policies, one array per column.
INSERT INTO watched_policies
    (stream, position, policy_revision, told_revision, due_at, created_at, modified_at, deleted, policy)
SELECT * FROM unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
    $8::boolean[], $9::json[]
)
ON CONFLICT (stream) DO UPDATE SET
    position = excluded.position,
    policy_revision = excluded.policy_revision,
    told_revision = excluded.told_revision,
    due_at = excluded.due_at,
    created_at = excluded.created_at,
    modified_at = excluded.modified_at,
    deleted = excluded.deleted,
    policy = excluded.policy
