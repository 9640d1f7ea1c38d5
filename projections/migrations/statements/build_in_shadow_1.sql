-- Builds one of the keys and indexes that the copies lack.
CREATE FUNCTION build_in_shadow(shadow text, tables text[], wanted text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before text := current_setting('search_path');
    definition text;
BEGIN
    SELECT clause INTO STRICT definition FROM missing_in_shadow(shadow, tables) WHERE index_name = wanted;
    PERFORM set_config('search_path', format('%I, %I', shadow, live_schema()), true);
    EXECUTE definition;
    PERFORM set_config('search_path', before, true);
END
$$
