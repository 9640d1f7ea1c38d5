-- Give one's own lease back.
-- $1 token, $2 owner.
update sole_writer
set owner = null
where token = $1 and owner = $2
