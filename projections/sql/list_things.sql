-- Things that exist, by name. $1 namespaces (null: all), $2 stream to start after, $3 how many at most.
SELECT stream, revision, position, created_at, modified_at, deleted, state
FROM twins
WHERE
    stream > greatest($2::text COLLATE "C", 'thing:') AND stream < 'thing;'
    AND ($1::text[] IS NULL OR namespace = ANY ($1::text[]))
    AND NOT deleted
ORDER BY stream
LIMIT $3
