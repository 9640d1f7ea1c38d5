-- Adds to the counters of some entities, one array per column. $4 is how many events are new; $5 and $7 are null where
-- the events neither created nor deleted the entity.
MERGE INTO entity_revisions AS e
USING unnest(
    $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::boolean[]
) AS n (stream, namespace, revision, events, created_at, modified_at, deleted)
ON e.stream = n.stream
WHEN MATCHED THEN UPDATE SET
    revision = n.revision,
    events = e.events + n.events,
    created_at = coalesce(n.created_at, e.created_at),
    modified_at = n.modified_at,
    deleted = coalesce(n.deleted, e.deleted)
WHEN NOT MATCHED THEN INSERT (stream, namespace, revision, events, created_at, modified_at, deleted)
VALUES (
    n.stream, n.namespace, n.revision, n.events, coalesce(n.created_at, n.modified_at), n.modified_at,
    coalesce(n.deleted, false)
)
