"""Consumers of the log, twins, revision counters, and the functions that make and swap shadow copies."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0001"
down_revision = None
branch_labels = ("projections",)
depends_on = None

STATEMENTS = (
    "consumers_1",
    "twins_1",
    "twins_of_namespace_1",
    "entity_revisions_1",
    "entity_revisions_of_namespace_1",
    "namespace_revisions_1",
    "live_schema_1",
    "create_shadow_1",
    "swap_shadow_1",
    "drop_shadow_1",
    "compare_shadow_1",
)


def upgrade() -> None:
    """Build them."""
    for name in STATEMENTS:
        op.get_bind().exec_driver_sql(statement(name, package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
