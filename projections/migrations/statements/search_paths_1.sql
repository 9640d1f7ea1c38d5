-- How many things have a value to sort by at a path; all things under the empty path.
CREATE TABLE search_paths (
    path text COLLATE "C" PRIMARY KEY,
    things bigint NOT NULL
) WITH (fillfactor = 50)
