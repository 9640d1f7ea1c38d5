-- Tell the other processes how far the log reaches.
-- $1 position, as text.
select pg_notify('twinlog_events', $1)
