-- Policies with subjects that are or were watched: their state, how far the stream of their announcements was followed,
-- and when something is to be done about any of their subjects.
CREATE TABLE watched_policies (
    stream text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    policy_revision bigint NOT NULL,
    told_revision bigint NOT NULL,
    due_at timestamptz,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    deleted boolean NOT NULL,
    policy json NOT NULL
) WITH (fillfactor = 70)
