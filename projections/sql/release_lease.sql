-- Gives a lease back, so that the next owner need not wait. $1 name, $2 token.
UPDATE consumers SET owner = NULL, expires_at = NULL WHERE name = $1 AND token = $2
