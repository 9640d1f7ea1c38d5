-- Which classes meet in one policy, for callers with several. $1 subjects.
SELECT DISTINCT array_agg(DISTINCT g.class ORDER BY g.class) AS classes
FROM search_grants AS g
WHERE g.subject = ANY ($1::text[])
GROUP BY g.policy_id
