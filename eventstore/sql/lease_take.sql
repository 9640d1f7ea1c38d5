-- Take the sole-writer lease; null if somebody else has it.
-- $1 owner, $2 term in seconds.
select take_sole_writer($1, $2)
