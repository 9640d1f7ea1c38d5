-- Writes some policies, one array per column.
INSERT INTO search_policies (policy_id, revision, state)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::json[])
ON CONFLICT (policy_id) DO UPDATE SET revision = excluded.revision, state = excluded.state
