-- The namespaces of which not everything is indexed: the "fields" wanted since the event at "position", and those that
-- are "usable", because every thing has its keys for them. While keys are made anew, "reached" is the last thing that
-- has been dealt with, the "done"th of about "total"; all three are null when the index is complete.
CREATE TABLE search_indexes (
    namespace text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    fields json NOT NULL,
    usable json NOT NULL,
    reached text COLLATE "C",
    done bigint,
    total bigint
)
