-- Whether the log is small enough that the server, by its own settings, expects to find it in memory.
SELECT pg_table_size('events') <= pg_size_bytes(current_setting('effective_cache_size'))
