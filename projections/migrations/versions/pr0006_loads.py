"""Copies that are filled stream by stream, and get their indexes when they are full."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0006"
down_revision = "pr0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    "rebuild_loads_1",
    "missing_in_shadow_1",
    "build_in_shadow_1",
    "analyze_shadow_1",
    "create_shadow_2",
    "drop_create_shadow_1",
)


def upgrade() -> None:
    """Build what they need."""
    for name in STATEMENTS:
        op.get_bind().exec_driver_sql(statement(name, package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
