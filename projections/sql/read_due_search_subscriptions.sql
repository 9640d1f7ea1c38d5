-- Subscriptions that somebody has to look at, the longest overdue first. $1 the present time, $2 how many.
SELECT id FROM search_subscriptions WHERE due_at <= $1 ORDER BY due_at LIMIT $2
