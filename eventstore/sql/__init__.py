"""The statements of the event store, see ``eventstore.statements``."""
