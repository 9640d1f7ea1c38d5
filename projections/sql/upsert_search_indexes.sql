-- Writes the indexes of some namespaces, one array per column.
INSERT INTO search_indexes (namespace, position, fields, usable, reached, done, total)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::json[], $4::json[], $5::text[], $6::bigint[], $7::bigint[])
ON CONFLICT (namespace) DO UPDATE SET
    position = excluded.position,
    fields = excluded.fields,
    usable = excluded.usable,
    reached = excluded.reached,
    done = excluded.done,
    total = excluded.total
