-- Keeps a new subscription unless its caller has too many that go on; answers its id.
-- $1 id, $2 whether it goes on, $3 when somebody has to look at it, $4 the subscription, $5 caller, $6 how many.
INSERT INTO search_subscriptions (id, live, due_at, state, caller)
SELECT $1, $2, $3, $4, $5
WHERE (SELECT count(*) FROM search_subscriptions WHERE caller = $5 AND live) < $6
RETURNING id
