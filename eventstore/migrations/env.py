"""What Alembic runs around the revisions; the connection, in its transaction, comes from ``eventstore.migrations``."""

from __future__ import annotations

from alembic import context

from eventstore.migrations import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
