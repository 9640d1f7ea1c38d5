-- Makes the row of a consumer that is new, at the beginning of the log. $1 name, $2 version.
INSERT INTO consumers (name, version) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING
