-- The classes of a subject.
CREATE INDEX search_grants_of ON search_grants (subject, class, policy_id)
