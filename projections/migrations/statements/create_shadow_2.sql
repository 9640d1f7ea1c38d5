-- Makes empty copies of the tables in a schema of their own, with the same names for constraints and indexes, so that
-- the statements of a projection work on them by search_path alone and a swapped-in copy is what migrations expect.
-- Those in "bare" get no keys and indexes yet: build_in_shadow makes these once the rows are there.
CREATE FUNCTION create_shadow(shadow text, tables text[], bare text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    live text := live_schema();
    name text;
    options text;
    wanted text;
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', shadow);
    EXECUTE format('CREATE SCHEMA %I', shadow);
    FOREACH name IN ARRAY tables LOOP
        EXECUTE format(
            'CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL EXCLUDING INDEXES)', shadow, name, live, name);
        SELECT array_to_string(reloptions, ', ') INTO options
        FROM pg_class WHERE oid = format('%I.%I', live, name)::regclass;
        IF options IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %I.%I SET (%s)', shadow, name, options);
        END IF;
        IF name <> ALL (bare) THEN
            FOR wanted IN SELECT index_name FROM missing_in_shadow(shadow, ARRAY[name]) LOOP
                PERFORM build_in_shadow(shadow, ARRAY[name], wanted);
            END LOOP;
        END IF;
    END LOOP;
END
$$
