-- Notes what some policies grant, one array per column.
INSERT INTO search_grants (policy_id, subject, class, rules)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::json[])
