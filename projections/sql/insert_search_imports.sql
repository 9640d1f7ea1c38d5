-- Notes what some policies import. $1 policy ids, $2 the ids of what they import.
INSERT INTO search_imports (policy_id, imported) SELECT * FROM unnest($1::text[], $2::text[])
