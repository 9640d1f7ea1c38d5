-- The policies in some namespaces. $1 namespaces, $2 what the namespaces of others begin with.
SELECT policy_id
FROM search_policies
WHERE
    split_part(policy_id, ':', 1) = ANY ($1::text[])
    OR EXISTS (
        SELECT FROM unnest($2::text[]) AS p (beginning) WHERE starts_with(split_part(policy_id, ':', 1), p.beginning)
    )
