-- The last position of the log; no row for an empty log. No parameters.
select position
from events
order by position desc
limit 1
