-- Who imports a policy.
CREATE INDEX search_imports_of ON search_imports (imported, policy_id)
