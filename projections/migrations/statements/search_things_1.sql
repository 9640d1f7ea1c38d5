-- Every living thing: what is asked of it as a whole, and the state from which its keys are derived.
CREATE TABLE search_things (
    thing_id text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    policy_id text COLLATE "C",
    revision bigint NOT NULL,
    created text COLLATE "C" NOT NULL,
    modified text COLLATE "C" NOT NULL,
    state json NOT NULL
) WITH (fillfactor = 80)
