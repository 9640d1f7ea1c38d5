-- A subscription, for whoever is about to change it. $1 id.
SELECT state FROM search_subscriptions WHERE id = $1 FOR UPDATE
