-- How many things there are in a range. $1 before the range, $2 behind it.
SELECT count(*) FROM search_things WHERE thing_id > $1 AND thing_id < $2
