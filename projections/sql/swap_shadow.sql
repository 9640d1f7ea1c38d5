-- Puts the shadow copy in the place of the live tables. $1 schema, $2 tables.
SELECT swap_shadow($1, $2)
