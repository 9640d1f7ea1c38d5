-- Trigger: the log only grows. There is no way around it that a session could switch on for itself; an erase operation,
-- if the law ever asks for one, comes with a migration of its own.
create function refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception 'events are never changed: % on % refused', tg_op, tg_table_name using errcode = 'TW001';
end
$$
