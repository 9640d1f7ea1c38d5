"""The log of events, its guards, the append function and the sole-writer lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from eventstore.statements import statement

revision = "es0001"
down_revision = None
branch_labels = ("eventstore",)
depends_on = None


def upgrade() -> None:
    """Build it."""
    _create_events()
    _create_sole_writer()
    for name in (
        "refuse_change_1",
        "events_immutable_1",
        "events_immutable_always_1",
        "append_events_1",
        "take_sole_writer_1",
    ):
        op.get_bind().exec_driver_sql(statement(name, package="eventstore.migrations.functions"))


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("stream", sa.Text(collation="C"), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("value", postgresql.JSON),
        sa.Column("headers", postgresql.JSON, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("command_id", sa.Text(collation="C")),
        sa.PrimaryKeyConstraint("stream", "revision", name="events_pkey"),
        sa.UniqueConstraint("position", name="events_position_key"),
        comment="The log: every event there ever was, in the order of position.",
    )
    op.create_index(
        "events_command_key",
        "events",
        ["stream", "command_id"],
        unique=True,
        postgresql_where=sa.column("command_id").is_not(None),
    )
    op.create_index("events_recorded_at_idx", "events", ["recorded_at", "position"])


def _create_sole_writer() -> None:
    op.create_table(
        "sole_writer",
        sa.Column("only_row", sa.Boolean, primary_key=True, server_default=sa.true(), autoincrement=False),
        sa.Column("owner", sa.Text(collation="C")),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("term", sa.Double, nullable=False),
        sa.Column("contested", sa.Boolean, nullable=False),
        comment="Who may trust its cached states without asking the log, if anybody.",
    )


def downgrade() -> None:
    """There is no way back: the log only grows."""
    message = "the log cannot be unmade; restore a backup instead"
    raise NotImplementedError(message)
