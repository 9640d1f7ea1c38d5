-- Forgets a subscription. $1 id.
DELETE FROM search_subscriptions WHERE id = $1
