-- Adds to the number of things that have a value at some paths. $1 paths, $2 how many more, or fewer, do.
INSERT INTO search_paths (path, things) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (path) DO UPDATE SET things = search_paths.things + excluded.things
