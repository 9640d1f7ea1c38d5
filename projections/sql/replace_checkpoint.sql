-- Other rows now stand behind a consumer: their version and position, and a new token, so that whoever worked on the
-- old rows is fenced off and takes the lease again. $1 name, $2 version, $3 position.
UPDATE consumers
SET version = $2, position = $3, token = token + 1, owner = NULL, expires_at = NULL
WHERE name = $1
