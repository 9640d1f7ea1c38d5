-- Forgets a consumer, under its current token. $1 name, $2 token.
DELETE FROM consumers WHERE name = $1 AND token = $2
