-- Counts what a caller has under way.
CREATE INDEX search_subscriptions_of_caller ON search_subscriptions (caller) WHERE live
