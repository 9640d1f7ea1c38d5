-- Keys and indexes that the live tables have and their copies do not, those that belong to constraints first, table by
-- table; "size" is that of the copy in bytes. Definitions are printed without a schema.
CREATE FUNCTION missing_in_shadow(shadow text, tables text[])
RETURNS TABLE (index_name text, size bigint, clause text) LANGUAGE plpgsql AS $$
DECLARE
    live text := live_schema();
    before text := current_setting('search_path');
    name text;
    source oid;
BEGIN
    PERFORM set_config('search_path', format('%I', live), true);
    FOREACH name IN ARRAY tables LOOP
        source := format('%I.%I', live, name)::regclass;
        RETURN QUERY
        SELECT c.label, pg_table_size(format('%I.%I', shadow, name)::regclass), c.definition FROM (
            SELECT 1 AS kind, conname::text AS label,
                format('ALTER TABLE %I ADD CONSTRAINT %I %s', name, conname, pg_get_constraintdef(oid)) AS definition
            FROM pg_constraint WHERE conrelid = source AND contype IN ('p', 'u', 'x')
            UNION ALL
            SELECT 2, o.relname::text, pg_get_indexdef(i.indexrelid, 0, true)
            FROM pg_index AS i JOIN pg_class AS o ON o.oid = i.indexrelid
            WHERE i.indrelid = source AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
        ) AS c
        WHERE NOT EXISTS (
            SELECT FROM pg_class AS o JOIN pg_namespace AS n ON n.oid = o.relnamespace
            WHERE n.nspname = shadow AND o.relname = c.label
        )
        ORDER BY c.kind, c.label;
    END LOOP;
    PERFORM set_config('search_path', before, true);
END
$$
