-- Forgets watches that have ended because their subjects are watched anew, and some by name.
-- $1, $2 streams and subject ids, $3, $4 streams and watch ids.
DELETE FROM deadlines AS d
WHERE
    (d.stage = 'ended' AND (d.stream, d.subject_id) IN (SELECT * FROM unnest($1::text[], $2::text[])))
    OR (d.stream, d.watch_id) IN (SELECT * FROM unnest($3::text[], $4::text[]))
