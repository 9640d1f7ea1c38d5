-- A copy has all streams. Answers no row if it is not where its owner left it.
-- $1 name of the consumer, $2 last stream and $3 events that the owner has put there.
DELETE FROM rebuild_loads WHERE name = $1 AND stream = $2 AND events = $3 RETURNING name
