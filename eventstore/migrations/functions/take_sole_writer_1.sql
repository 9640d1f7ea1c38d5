-- Take the sole-writer lease if nobody has it; see eventstore/sole_writer.py for what follows from it.
--
-- Taken under the lock of the append: an append that found no owner has committed before the lease begins, and so its
-- events are in every state that the new owner loads from now on.
--
-- p_writer  who takes it; a lease of its own of which it does not know is taken anew
-- p_term    how many seconds the owner may trust the lease after it last made sure of it
-- Returns the token of the new lease (greater than all before), or null.
create function take_sole_writer(p_writer text, p_term double precision) returns bigint
language plpgsql
volatile
as $$
declare
    v_token bigint;
begin
    perform pg_advisory_xact_lock(21591, 1);
    insert into sole_writer as w (owner, token, term, contested)
    values (p_writer, 1, p_term, false)
    on conflict (only_row) do update
        set owner = excluded.owner, token = w.token + 1, term = excluded.term, contested = false
        where w.owner is null or w.owner = excluded.owner
    returning w.token into v_token;
    return v_token;
end
$$
