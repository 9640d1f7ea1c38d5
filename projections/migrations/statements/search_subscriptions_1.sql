-- Searches by pages that clients have under way, so that any process can serve the next page. Nothing of it has to
-- outlive a crash of the database: a client whose subscription is gone is told so, and subscribes anew.
CREATE UNLOGGED TABLE search_subscriptions (
    id text COLLATE "C" PRIMARY KEY,
    caller text COLLATE "C" NOT NULL,
    live boolean NOT NULL,
    due_at timestamptz NOT NULL,
    state json NOT NULL
) WITH (fillfactor = 70)
