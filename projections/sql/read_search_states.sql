-- The next things of a range, in order. $1 the last one dealt with, $2 behind the range, $3 how many.
SELECT thing_id, state FROM search_things WHERE thing_id > $1 AND thing_id < $2 ORDER BY thing_id LIMIT $3
