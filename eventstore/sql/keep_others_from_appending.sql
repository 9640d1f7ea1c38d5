-- Hold the lock of the append for the rest of the transaction, in which nobody else can then append.
-- No parameters. Whoever stands still meanwhile loses the transaction after a few seconds, rather than stopping everybody.
select set_config('idle_in_transaction_session_timeout', '5s', true), pg_advisory_xact_lock(21591, 1)
