-- Who reads the log for a purpose of its own, how far it has come, and which process owns it at present.
-- One small row per consumer that is written at every batch: room on the page keeps those writes off the index.
CREATE TABLE consumers (
    name text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    token bigint NOT NULL DEFAULT 0,
    owner text,
    expires_at timestamptz
) WITH (fillfactor = 10)
