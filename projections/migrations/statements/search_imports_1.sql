-- Which policies a policy imports itself.
CREATE TABLE search_imports (
    policy_id text COLLATE "C" NOT NULL,
    imported text COLLATE "C" NOT NULL,
    PRIMARY KEY (policy_id, imported)
)
