-- Keeps what became of a subscription. $1 id, $2 whether it goes on, $3 when somebody has to look at it, $4 the
-- subscription.
UPDATE search_subscriptions SET live = $2, due_at = $3, state = $4 WHERE id = $1
