-- Removes things. $1 thing ids.
DELETE FROM search_things WHERE thing_id = ANY ($1::text[])
