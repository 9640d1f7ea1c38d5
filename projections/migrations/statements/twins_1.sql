-- The current state of every thing and policy; a deleted one leaves its row, because revisions count on.
CREATE TABLE twins (
    stream text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    deleted boolean NOT NULL,
    state json NOT NULL
) WITH (fillfactor = 80)
