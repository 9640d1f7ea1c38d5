"""What of a namespace can be searched."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0004"
down_revision = "pr0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.get_bind().exec_driver_sql(statement("search_indexes_1", package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
