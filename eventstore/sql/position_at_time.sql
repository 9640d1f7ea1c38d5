-- The first position recorded at a time or later; no row if there is none yet. Time never runs backwards in the log,
-- so everything from there on is later too.
-- $1 time.
select position
from events
where recorded_at >= $1
order by recorded_at, position
limit 1
