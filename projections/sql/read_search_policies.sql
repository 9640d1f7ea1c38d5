-- Some policies as they are written. $1 policy ids.
SELECT policy_id, revision, state FROM search_policies WHERE policy_id = ANY ($1::text[])
