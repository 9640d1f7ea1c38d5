-- How far a copy has come that is filled stream by stream; no row for others. $1 name of the consumer.
SELECT upto, stream, events FROM rebuild_loads WHERE name = $1
