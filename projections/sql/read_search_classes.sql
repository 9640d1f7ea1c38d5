-- The classes of some subjects, each with its rules, one index probe per class however many policies have it.
-- Then, without a subject, the namespaces whose index is not everything, each with the fields that can be asked for: what
-- a search has to know first comes in one round trip. $1 subjects.
WITH RECURSIVE classes AS (
    SELECT s.subject, first.class, first.rules
    FROM unnest($1::text[]) AS s (subject)
    CROSS JOIN LATERAL (
        SELECT g.class, g.rules FROM search_grants AS g
        WHERE g.subject = s.subject COLLATE "C"
        ORDER BY g.subject, g.class LIMIT 1
    ) AS first
    UNION ALL
    SELECT c.subject, next.class, next.rules
    FROM classes AS c
    CROSS JOIN LATERAL (
        SELECT g.class, g.rules FROM search_grants AS g
        WHERE g.subject = c.subject COLLATE "C" AND g.class > c.class
        ORDER BY g.subject, g.class LIMIT 1
    ) AS next
)
SELECT subject, class, rules FROM classes
UNION ALL
SELECT NULL, i.namespace, i.usable FROM search_indexes AS i
