-- For this transaction, wait at most $1 for a lock, rather than stand in everybody's way behind a slow reader.
SELECT set_config('lock_timeout', $1, true)
