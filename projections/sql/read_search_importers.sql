-- The policies that import one of these, directly or through others. $1 policy ids.
WITH RECURSIVE importers AS (
    SELECT i.policy_id FROM search_imports AS i WHERE i.imported = ANY ($1::text[])
    UNION
    SELECT i.policy_id FROM search_imports AS i JOIN importers AS n ON i.imported = n.policy_id
)
SELECT policy_id FROM importers
