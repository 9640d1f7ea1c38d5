-- The first rows that differ between the live tables and the shadow. $1 schema, $2 tables, $3 how many per table.
SELECT table_name, live_row, shadow_row FROM compare_shadow($1, $2, $3)
