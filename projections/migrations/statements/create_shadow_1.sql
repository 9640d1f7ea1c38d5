-- Makes empty copies of the tables in a schema of their own, with the same names for constraints and indexes, so that
-- the statements of a projection work on them by search_path alone and a swapped-in copy is what migrations expect.
CREATE FUNCTION create_shadow(shadow text, tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    live text := live_schema();
    before text := current_setting('search_path');
    name text;
    source oid;
    clause text;
    clauses text[];
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', shadow);
    EXECUTE format('CREATE SCHEMA %I', shadow);
    FOREACH name IN ARRAY tables LOOP
        source := format('%I.%I', live, name)::regclass;
        EXECUTE format(
            'CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL EXCLUDING INDEXES)', shadow, name, live, name);

        -- Definitions are printed without a schema while the live one is in the path, and run with the shadow in front.
        PERFORM set_config('search_path', format('%I', live), true);
        SELECT array_agg(c.definition ORDER BY c.kind, c.label) INTO clauses FROM (
            SELECT 0 AS kind, '' AS label, format('ALTER TABLE %I SET (%s)', name, array_to_string(reloptions, ', ')) AS definition
            FROM pg_class WHERE oid = source AND reloptions IS NOT NULL
            UNION ALL
            SELECT 1, conname, format('ALTER TABLE %I ADD CONSTRAINT %I %s', name, conname, pg_get_constraintdef(oid))
            FROM pg_constraint WHERE conrelid = source AND contype IN ('p', 'u', 'x')
            UNION ALL
            SELECT 2, indexrelid::regclass::text, pg_get_indexdef(indexrelid, 0, true)
            FROM pg_index AS i
            WHERE i.indrelid = source AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
        ) AS c;
        PERFORM set_config('search_path', format('%I, %I', shadow, live), true);
        FOREACH clause IN ARRAY coalesce(clauses, '{}') LOOP
            EXECUTE clause;
        END LOOP;
    END LOOP;
    PERFORM set_config('search_path', before, true);
END
$$
