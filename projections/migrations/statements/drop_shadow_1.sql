-- Throws a shadow copy away.
CREATE FUNCTION drop_shadow(shadow text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', shadow);
END
$$
