-- The first rows, by key and at most "most" per table, that are not the same text in the live tables and their copies.
CREATE FUNCTION compare_shadow(shadow text, tables text[], most integer)
RETURNS TABLE (table_name text, live_row text, shadow_row text) LANGUAGE plpgsql AS $$
DECLARE
    live text := live_schema();
    name text;
    keys text;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) INTO STRICT keys
        FROM pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE i.indrelid = format('%I.%I', live, name)::regclass AND i.indisprimary;
        RETURN QUERY EXECUTE format(
            'SELECT %L::text, l::text, s::text FROM %I.%I AS l FULL JOIN %I.%I AS s USING (%s)
             WHERE l::text IS DISTINCT FROM s::text ORDER BY %s LIMIT %s',
            name, live, name, shadow, name, keys, keys, most);
    END LOOP;
END
$$
