-- Whether there is a shadow copy. $1 schema of the shadow.
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)
