"""Numbers out of the keys of the search model, for sums over them."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0005"
down_revision = "pr0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.get_bind().exec_driver_sql(statement("search_number_1", package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
