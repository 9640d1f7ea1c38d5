-- Counters summed up per namespace and category (thing, policy).
CREATE TABLE namespace_revisions (
    namespace text COLLATE "C" NOT NULL,
    category text COLLATE "C" NOT NULL,
    entities bigint NOT NULL,
    events bigint NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    modified_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, category)
) WITH (fillfactor = 50)
