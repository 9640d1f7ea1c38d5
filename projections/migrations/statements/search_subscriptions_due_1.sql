-- Finds what is due.
CREATE INDEX search_subscriptions_due ON search_subscriptions (due_at)
