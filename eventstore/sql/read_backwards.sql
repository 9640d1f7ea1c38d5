-- A page of the log against its order. Positions are dense, so the two bounds also bound the work.
-- $1 after which position, $2 up to which position (inclusive), $3 stream prefixes or null, $4 types or null, $5 limit.
select position, stream, revision, type, path, value, headers, recorded_at, command_id
from events
where position > $1 and position <= $2
    and ($3::text[] is null or exists (select from unnest($3::text[]) p(prefix) where starts_with(stream, p.prefix)))
    and ($4::text[] is null or type = any ($4::text[]))
order by position desc
limit $5
