-- Removes paths that no thing has any more. $1 paths.
DELETE FROM search_paths WHERE path = ANY ($1::text[]) AND things = 0
