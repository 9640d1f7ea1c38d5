-- The schema of the live read models: the one that keeps the consumers.
CREATE FUNCTION live_schema() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT n.nspname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = 'consumers'::regclass
$$
