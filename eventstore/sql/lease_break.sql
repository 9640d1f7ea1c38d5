-- End a lease whose holder did not answer a contest for the whole of its term.
-- $1 token.
update sole_writer
set owner = null
where token = $1 and contested
