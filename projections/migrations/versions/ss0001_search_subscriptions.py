"""Searches by pages under way. No read model: a line of revisions of its own, as nothing here follows from the log."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "ss0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = ("search_subscriptions_1", "search_subscriptions_due_1", "search_subscriptions_of_caller_1")


def upgrade() -> None:
    """Build it."""
    for name in STATEMENTS:
        op.get_bind().exec_driver_sql(statement(name, package="projections.migrations.statements"))


def downgrade() -> None:
    """Nothing is lost with it but what is under way."""
    op.drop_table("search_subscriptions")
