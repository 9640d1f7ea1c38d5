-- For the rest of the transaction, tables are those of the shadows where these have them. $1 schemas of the shadows.
SELECT set_config('search_path', string_agg(quote_ident(s), ', ') || ', ' || quote_ident(live_schema()), true)
FROM unnest($1::text[]) AS s
