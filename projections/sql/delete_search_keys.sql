-- Removes keys. $1 thing ids, $2 keys, $3 features.
DELETE FROM search_keys AS k
USING unnest($1::text[], $2::text[], $3::text[]) AS g (thing_id, key, feature)
WHERE k.thing_id = g.thing_id COLLATE "C" AND k.key = g.key COLLATE "C" AND k.feature = g.feature COLLATE "C"
