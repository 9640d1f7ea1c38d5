-- Adds to the counters of some namespaces, one array per column; $3 and $4 are differences. The events may have come
-- before or after those that are counted already.
INSERT INTO namespace_revisions AS n (namespace, category, entities, events, position, created_at, modified_at)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[]
)
ON CONFLICT (namespace, category) DO UPDATE SET
    entities = n.entities + excluded.entities,
    events = n.events + excluded.events,
    position = greatest(n.position, excluded.position),
    created_at = least(n.created_at, excluded.created_at),
    modified_at = greatest(n.modified_at, excluded.modified_at)
