-- For the rest of the transaction, an index is built by one process alone.
SELECT set_config('max_parallel_maintenance_workers', '0', true)
