-- Removes some of what policies grant, one array per column.
DELETE FROM search_grants AS g
USING unnest($1::text[], $2::text[], $3::text[]) AS gone (policy_id, subject, class)
WHERE g.policy_id = gone.policy_id AND g.subject = gone.subject AND g.class = gone.class
