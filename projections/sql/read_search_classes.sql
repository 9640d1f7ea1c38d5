-- The classes of some subjects, each with its rules, one index probe per class however many policies have it.
-- $1 subjects.
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
