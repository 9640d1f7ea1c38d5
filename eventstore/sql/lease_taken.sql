-- Whether a lease is still in force.
-- $1 token.
select exists (select from sole_writer where token = $1 and owner is not null)
