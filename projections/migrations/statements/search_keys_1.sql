-- One row per value of a thing, see projections.search.keys; "feature" is empty but in keys that speak of some feature.
CREATE TABLE search_keys (
    thing_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    feature text COLLATE "C" NOT NULL,
    PRIMARY KEY (thing_id, key, feature)
)
