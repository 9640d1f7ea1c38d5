-- Forgets what some policies import. $1 policy ids.
DELETE FROM search_imports WHERE policy_id = ANY ($1::text[])
