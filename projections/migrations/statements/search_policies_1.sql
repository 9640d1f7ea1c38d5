-- Every living policy as it is written.
CREATE TABLE search_policies (
    policy_id text COLLATE "C" PRIMARY KEY,
    revision bigint NOT NULL,
    state json NOT NULL
)
