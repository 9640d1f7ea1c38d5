-- Which policies a process is working on, until when nobody else may, and the position of the last record it made:
-- the read model must have followed so far before the policy can be claimed again.
CREATE TABLE announcer_claims (
    stream text COLLATE "C" PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL,
    position bigint NOT NULL DEFAULT 0
)
