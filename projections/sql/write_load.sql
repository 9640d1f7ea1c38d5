-- Notes how far a copy has come that is filled stream by stream.
-- $1 name of the consumer, $2 position up to which it will have the log, $3 last stream that it has, $4 events so far.
INSERT INTO rebuild_loads (name, upto, stream, events) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET upto = excluded.upto, stream = excluded.stream, events = excluded.events
