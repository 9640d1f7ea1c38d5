-- Sends a consumer back to the beginning of the log, under its current token. $1 name, $2 token, $3 version.
UPDATE consumers SET position = 0, version = $3 WHERE name = $1 AND token = $2 RETURNING token
