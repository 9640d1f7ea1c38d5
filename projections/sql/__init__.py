"""The statements of the read models, one per file; see ``projections.statements``."""
