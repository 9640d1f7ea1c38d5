-- What some policies grant now, without the rules, which the class tells. $1 policy ids.
SELECT policy_id, subject, class FROM search_grants WHERE policy_id = ANY ($1::text[])
