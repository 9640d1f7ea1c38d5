-- Gathers statistics of the copies, so that queries are planned well from the swap on.
CREATE FUNCTION analyze_shadow(shadow text, tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        EXECUTE format('ANALYZE %I.%I', shadow, name);
    END LOOP;
END
$$
