-- Keys and indexes that a shadow copy lacks, in the order in which to build them, each with the size of its table in
-- bytes. $1 schema, $2 tables.
SELECT index_name, size FROM missing_in_shadow($1, $2)
