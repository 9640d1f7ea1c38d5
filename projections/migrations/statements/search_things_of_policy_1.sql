-- The things of a policy, in order.
CREATE INDEX search_things_of_policy ON search_things (policy_id, thing_id)
