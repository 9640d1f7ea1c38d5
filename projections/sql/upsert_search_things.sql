-- Writes the rows of some things, one array per column.
INSERT INTO search_things (thing_id, namespace, policy_id, revision, created, modified, state)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::json[])
ON CONFLICT (thing_id) DO UPDATE SET
    policy_id = excluded.policy_id,
    revision = excluded.revision,
    created = excluded.created,
    modified = excluded.modified,
    state = excluded.state
