-- Throws a shadow copy away. $1 schema.
SELECT drop_shadow($1)
