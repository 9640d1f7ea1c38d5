-- Makes an empty shadow copy, in place of an older one. $1 schema, $2 tables, $3 those that get no keys and indexes yet.
SELECT create_shadow($1, $2, $3)
