-- Removes namespaces of which everything is indexed again. $1 namespaces.
DELETE FROM search_indexes WHERE namespace = ANY ($1::text[])
