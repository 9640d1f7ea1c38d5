-- Writes watches, one array per column.
INSERT INTO deadlines (stream, watch_id, subject_id, stage, next_at, announce_at, delete_at, attempt, watch)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[],
    $8::integer[], $9::json[]
)
ON CONFLICT (stream, watch_id) DO UPDATE SET
    subject_id = excluded.subject_id,
    stage = excluded.stage,
    next_at = excluded.next_at,
    announce_at = excluded.announce_at,
    delete_at = excluded.delete_at,
    attempt = excluded.attempt,
    watch = excluded.watch
