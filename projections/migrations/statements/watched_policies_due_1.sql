-- Finds what is due without looking at what is not.
CREATE INDEX watched_policies_due_idx ON watched_policies (due_at) WHERE due_at IS NOT NULL
