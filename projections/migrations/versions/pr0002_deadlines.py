"""Watched subjects of policies, and the announcer's claims on them."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0002"
down_revision = "pr0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    "watched_policies_1",
    "watched_policies_due_1",
    "deadlines_1",
    "deadlines_next_1",
    "announcer_claims_1",
)


def upgrade() -> None:
    """Build them."""
    for name in STATEMENTS:
        op.get_bind().exec_driver_sql(statement(name, package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
