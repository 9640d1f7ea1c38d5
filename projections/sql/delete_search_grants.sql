-- Removes what some policies grant. $1 policy ids.
DELETE FROM search_grants WHERE policy_id = ANY ($1::text[])
