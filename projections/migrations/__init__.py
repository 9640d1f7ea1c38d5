"""Migrations of the read-models' tables; they run together with the event store's."""
