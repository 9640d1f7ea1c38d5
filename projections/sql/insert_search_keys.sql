-- Adds keys. $1 thing ids, $2 keys, $3 features.
INSERT INTO search_keys (thing_id, key, feature)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
