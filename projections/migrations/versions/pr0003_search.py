"""The search model."""

from __future__ import annotations

from alembic import op

from eventstore.statements import statement

revision = "pr0003"
down_revision = "pr0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    "search_things_1",
    "search_things_of_policy_1",
    "search_things_by_modified_1",
    "search_things_by_created_1",
    "search_keys_1",
    "search_keys_by_key_1",
    "search_paths_1",
    "search_policies_1",
    "search_imports_1",
    "search_imports_of_1",
    "search_grants_1",
    "search_grants_of_1",
)


def upgrade() -> None:
    """Build it."""
    for name in STATEMENTS:
        op.get_bind().exec_driver_sql(statement(name, package="projections.migrations.statements"))


def downgrade() -> None:
    """There is no way back: older code rebuilds its read models from the log instead."""
    message = "read models are rebuilt, not unmade"
    raise NotImplementedError(message)
