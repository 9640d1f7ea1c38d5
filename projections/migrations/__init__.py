"""Revisions of the read models' tables, run by ``eventstore.migrations`` together with those of the log."""
