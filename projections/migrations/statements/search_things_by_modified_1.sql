-- Things by the time of their last change.
CREATE INDEX search_things_by_modified ON search_things (modified, thing_id)
