-- Gives claims back. $1 owner, $2 streams, $3 positions that the read model must reach first, $4 seconds to rest.
UPDATE announcer_claims AS c
SET until = clock_timestamp() + make_interval(secs => r.rest), position = r.position
FROM unnest($2::text[], $3::bigint[], $4::double precision[]) AS r (stream, position, rest)
WHERE c.stream = r.stream COLLATE "C" AND c.owner = $1
