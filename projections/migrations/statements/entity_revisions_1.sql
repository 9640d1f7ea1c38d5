-- Counters per entity.
CREATE TABLE entity_revisions (
    stream text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    events bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    deleted boolean NOT NULL
) WITH (fillfactor = 80)
