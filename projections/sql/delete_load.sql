-- A copy is no longer filled stream by stream. $1 name of the consumer.
DELETE FROM rebuild_loads WHERE name = $1
