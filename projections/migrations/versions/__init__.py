"""The revisions of the read models, on the branch ``projections``."""
