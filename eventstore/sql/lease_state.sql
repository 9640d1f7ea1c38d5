-- Whether a lease still stands uncontested, and how far the log reaches, in one look.
-- $1 token, $2 owner.
select
    exists (select from sole_writer where token = $1 and owner = $2 and not contested) as stands,
    coalesce((select position from events order by position desc limit 1), 0) as head
