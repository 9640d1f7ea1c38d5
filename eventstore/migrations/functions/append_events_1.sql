-- Append a group of commits to the log, or refuse it whole, in one round trip.
--
-- The lock comes first and is held until commit; the head is read after it, by a statement of its own. Under READ
-- COMMITTED every statement of a volatile function takes a new snapshot, and PostgreSQL makes a commit visible before
-- it lets go of the locks, so the head includes the last append. Numbers are therefore given in commit order, without
-- holes: an append that rolls back takes its numbers with it, and nobody has seen a later one. Whoever sees position n
-- sees every position below n. Under a stricter isolation level the snapshot would be older than the lock, hence the
-- check at the top.
--
-- A refusal is an answer, not an error: nothing is written to the server's log, and the contest of another process's
-- lease commits.
--
-- p_writer                       the process that appends, as in sole_writer.owner
-- p_recorded_at                  raised to that of the last event, so that time never runs backwards in the log
-- p_streams, p_expected          each stream of the group and the revision that it must have (0: it must not exist)
-- p_command_streams, p_command_ids   commands that must not be in the log yet
-- p_event_*                      the events in log order; p_event_streams[i] etc.
--
-- outcome      'appended' | 'refused' | 'held' (another process holds the sole-writer lease; it has been contested)
-- head         the last position before this append
-- recorded_at  what the events bear
-- stale        when refused: indexes into p_streams (from 1) that are at another revision
-- repeated     when refused: indexes into p_command_ids (from 1) that are in the log
-- token, term  when held: which lease, and how many seconds its holder may go on trusting it
create function append_events(
    p_writer text,
    p_recorded_at timestamptz,
    p_streams text[],
    p_expected bigint[],
    p_command_streams text[],
    p_command_ids text[],
    p_event_streams text[],
    p_event_revisions bigint[],
    p_event_types text[],
    p_event_paths text[],
    p_event_values json[],
    p_event_headers json[],
    p_event_command_ids text[],
    out outcome text,
    out head bigint,
    out recorded_at timestamptz,
    out stale int[],
    out repeated int[],
    out token bigint,
    out term double precision
)
language plpgsql
volatile
-- Generic plans are made once per session, maybe while the log is still empty; they must not settle on reading it whole.
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'append_events needs READ COMMITTED, not %', current_setting('transaction_isolation')
            using errcode = 'invalid_transaction_state';
    end if;
    perform pg_advisory_xact_lock(21591, 1);

    select w.token, w.term into token, term
    from sole_writer w
    where w.owner is not null and w.owner <> p_writer;
    if found then
        update sole_writer w set contested = true where w.token = append_events.token and not w.contested;
        perform pg_notify('twinlog_sole_writer', append_events.token::text);
        outcome := 'held';
        return;
    end if;

    select e.position, greatest(e.recorded_at, p_recorded_at) into head, recorded_at
    from events e
    order by e.position desc
    limit 1;
    if not found then
        head := 0;
        recorded_at := p_recorded_at;
    end if;

    select array_agg(s.i::int) into stale
    from unnest(p_streams, p_expected) with ordinality s(stream, expected, i)
    where s.expected <> coalesce(
        (select e.revision from events e where e.stream = s.stream order by e.revision desc limit 1), 0);

    if cardinality(p_command_ids) > 0 then
        select array_agg(c.i::int) into repeated
        from unnest(p_command_streams, p_command_ids) with ordinality c(stream, command_id, i)
        where exists (select from events e where e.stream = c.stream and e.command_id = c.command_id);
    end if;

    if stale is not null or repeated is not null then
        outcome := 'refused';
        return;
    end if;

    insert into events (stream, revision, position, type, path, value, headers, recorded_at, command_id)
    select n.stream, n.revision, append_events.head + n.i, n.type, n.path, n.value, n.headers,
        append_events.recorded_at, n.command_id
    from unnest(p_event_streams, p_event_revisions, p_event_types, p_event_paths, p_event_values, p_event_headers,
        p_event_command_ids) with ordinality n(stream, revision, type, path, value, headers, command_id, i);
    outcome := 'appended';
end
$$
