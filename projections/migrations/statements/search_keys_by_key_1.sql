-- Values in the order of RQL, the things of each in the order of their ids.
CREATE INDEX search_keys_by_key ON search_keys (key, thing_id, feature)
