-- The keys of some things. $1 thing ids.
SELECT thing_id, key, feature FROM search_keys WHERE thing_id = ANY ($1::text[])
