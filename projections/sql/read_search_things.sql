-- The rows of some things. $1 thing ids.
SELECT thing_id, namespace, policy_id, revision, created, modified, state
FROM search_things
WHERE thing_id = ANY ($1::text[])
