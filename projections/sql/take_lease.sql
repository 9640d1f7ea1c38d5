-- Takes a consumer's lease if it is free: released, run out by the database's clock, or left by the same owner.
-- $1 name, $2 owner, $3 seconds. Answers the new fencing token and the checkpoint, or no row while another holds it.
-- While the lease is held this is a read: a row that does not qualify is neither locked nor written.
UPDATE consumers
SET owner = $2, token = token + 1, expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE name = $1 AND (owner IS NULL OR owner = $2 OR expires_at < clock_timestamp())
RETURNING token, version, position
