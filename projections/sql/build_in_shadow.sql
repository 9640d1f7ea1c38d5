-- Builds a key or index that a shadow copy lacks. $1 schema, $2 tables, $3 the name of the index.
SELECT build_in_shadow($1, $2, $3)
