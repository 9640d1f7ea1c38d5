-- Prolongs a lease that is still ours, even if it has run out but nobody took it. $1 name, $2 token, $3 seconds.
UPDATE consumers
SET expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE name = $1 AND token = $2 AND owner IS NOT NULL
RETURNING token
