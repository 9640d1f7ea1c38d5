-- Things by the time of their creation.
CREATE INDEX search_things_by_created ON search_things (created, thing_id)
