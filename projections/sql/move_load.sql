-- Notes how far a copy has come that is filled stream by stream. Answers no row if it is not where its owner left it.
-- $1 name of the consumer, $2 last stream and $3 events that the owner continues from, $4 and $5 those that it has now.
UPDATE rebuild_loads SET stream = $4, events = $5 WHERE name = $1 AND stream = $2 AND events = $3 RETURNING name
