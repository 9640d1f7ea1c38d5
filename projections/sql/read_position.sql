-- The checkpoint of one consumer. $1 name.
SELECT position FROM consumers WHERE name = $1
