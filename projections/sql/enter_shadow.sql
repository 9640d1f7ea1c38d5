-- For the rest of the transaction, tables are those of the shadow where it has them. $1 schema of the shadow.
SELECT set_config('search_path', quote_ident($1) || ', ' || quote_ident(live_schema()), true)
