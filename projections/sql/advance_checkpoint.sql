-- Moves a checkpoint, only under the current token; prolongs the lease with it. First statement of its transaction.
-- $1 name, $2 token, $3 position, $4 seconds of the lease, $5 the position that the owner continues from. Answers no
-- row if the lease went to another, or if the checkpoint is not where the owner left it.
-- Set for this transaction: no wait for the disk (rows and checkpoint are lost together or kept together, and the log
-- has both; after a crash the checkpoint is behind $5 and the owner learns of it), and an owner that freezes half way is thrown out before it blocks its successor for long.
WITH settings AS (
    SELECT
        set_config('synchronous_commit', 'off', true),
        set_config('idle_in_transaction_session_timeout', '15s', true)
)
UPDATE consumers
SET position = $3, expires_at = clock_timestamp() + make_interval(secs => $4)
FROM settings
WHERE name = $1 AND token = $2 AND position = $5 AND owner IS NOT NULL
RETURNING token
