-- Forgets a consumer, under its current token. $1 name, $2 token, $3 the position that it must be at, null for any.
DELETE FROM consumers WHERE name = $1 AND token = $2 AND position = coalesce($3::bigint, position)
