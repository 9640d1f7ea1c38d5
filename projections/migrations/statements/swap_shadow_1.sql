-- Puts the shadow copies in the place of the live tables, with the rights that were granted on these, and removes the
-- shadow's schema. Refuses (and thereby undoes everything) while a view of somebody depends on a live table.
CREATE FUNCTION swap_shadow(shadow text, tables text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    live text := live_schema();
    name text;
    granted record;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        FOR granted IN
            SELECT a.privilege_type AS privilege, a.is_grantable,
                CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
            FROM pg_class AS c, aclexplode(c.relacl) AS a
            WHERE c.oid = format('%I.%I', live, name)::regclass AND a.grantee <> c.relowner
        LOOP
            EXECUTE format('GRANT %s ON %I.%I TO %s%s', granted.privilege, shadow, name, granted.grantee,
                CASE WHEN granted.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
        END LOOP;
        EXECUTE format('DROP TABLE %I.%I', live, name);
        EXECUTE format('ALTER TABLE %I.%I SET SCHEMA %I', shadow, name, live);
    END LOOP;
    EXECUTE format('DROP SCHEMA %I', shadow);
END
$$
