-- Who reads the log for a purpose of its own, how far it has come, and which process owns it at present.
-- One small row per consumer that is written at every batch: room on the page keeps those writes off the index.
CREATE TABLE consumers (
    name text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,
    owner text,
    expires_at timestamptz
) WITH (fillfactor = 10);

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
) WITH (fillfactor = 80);

CREATE INDEX twins_of_namespace ON twins (namespace, stream);

-- Counters per entity and, summed up, per namespace and category (thing, policy).
CREATE TABLE entity_revisions (
    stream text COLLATE "C" PRIMARY KEY,
    namespace text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    events bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    deleted boolean NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX entity_revisions_of_namespace ON entity_revisions (namespace, stream);

CREATE TABLE namespace_revisions (
    namespace text COLLATE "C" NOT NULL,
    category text COLLATE "C" NOT NULL,
    entities bigint NOT NULL,
    events bigint NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, category)
) WITH (fillfactor = 50);
