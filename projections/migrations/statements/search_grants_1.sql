-- What a policy, with its imports, says about reading to one subject. Equal rules have the same class.
CREATE TABLE search_grants (
    policy_id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    class text COLLATE "C" NOT NULL,
    rules json NOT NULL,
    PRIMARY KEY (policy_id, subject, class)
)
