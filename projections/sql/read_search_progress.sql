-- How far the search model is with the indexes of some namespaces: its place in the log, the row of the index if there
-- is one, and the number of things. $1 namespaces.
SELECT
    n.namespace, coalesce(c.position, 0) AS position, i.usable, i.reached IS NOT NULL AS unfinished, i.done, i.total,
    (
        SELECT count(*) FROM search_things AS t
        WHERE t.thing_id >= n.namespace || ':' AND t.thing_id < n.namespace || ';'
    ) AS things
FROM unnest($1::text[]) AS n (namespace)
LEFT JOIN consumers AS c ON c.name = 'search'
LEFT JOIN search_indexes AS i ON i.namespace = n.namespace COLLATE "C"
