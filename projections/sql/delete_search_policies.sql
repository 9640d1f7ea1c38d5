-- Removes policies. $1 policy ids.
DELETE FROM search_policies WHERE policy_id = ANY ($1::text[])
