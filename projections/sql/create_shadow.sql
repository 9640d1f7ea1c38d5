-- Makes an empty shadow copy, in place of an older one. $1 schema, $2 tables.
SELECT create_shadow($1, $2)
