-- The next policies that import others, in order. $1 after which, $2 how many.
SELECT DISTINCT policy_id FROM search_imports WHERE policy_id > $1 ORDER BY policy_id LIMIT $2
