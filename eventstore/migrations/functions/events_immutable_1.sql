-- Rows of events are neither updated nor deleted, whatever the statement and even if it would touch no row.
create trigger events_immutable
before update or delete or truncate on events
for each statement execute function refuse_change()
