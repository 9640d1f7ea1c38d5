-- Forgets claims that are over for longer than $1 seconds.
DELETE FROM announcer_claims WHERE until < clock_timestamp() - make_interval(secs => $1)
