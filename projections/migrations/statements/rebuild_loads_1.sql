-- How far the copies have come that are being filled stream by stream: they will have the log up to position "upto",
-- and have all of its streams up to "stream" (bytewise), which are "events" events.
CREATE TABLE rebuild_loads (
    name text COLLATE "C" PRIMARY KEY,
    upto bigint NOT NULL,
    stream text COLLATE "C" NOT NULL,
    events bigint NOT NULL
) WITH (fillfactor = 50)
