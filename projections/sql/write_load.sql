-- Notes that a copy is to be filled stream by stream, from the first on.
-- $1 name of the consumer, $2 position up to which it will have the log.
INSERT INTO rebuild_loads (name, upto, stream, events) VALUES ($1, $2, '', 0)
ON CONFLICT (name) DO UPDATE SET upto = excluded.upto, stream = excluded.stream, events = excluded.events
