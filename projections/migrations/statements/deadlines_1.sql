-- Watched subjects: what is due when, and what became of it. One that has ended stays until its subject is watched anew.
CREATE TABLE deadlines (
    stream text COLLATE "C" NOT NULL,
    watch_id text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    stage text COLLATE "C" NOT NULL,
    next_at timestamptz,
    announce_at timestamptz,
    delete_at timestamptz,
    attempt integer NOT NULL,
    watch json NOT NULL,
    PRIMARY KEY (stream, watch_id)
) WITH (fillfactor = 70)
