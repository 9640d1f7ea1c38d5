-- Holds a consumer where it is until the end of the transaction. $1 name.
SELECT position FROM consumers WHERE name = $1 FOR UPDATE
