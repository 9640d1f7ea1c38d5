"""The event store's tables as they are now; how they became so is told by ``eventstore.migrations``.

A test holds the two together: a schema built from here equals one that was migrated.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Double,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.dialects.postgresql import JSON

from eventstore.migrations import is_current
from eventstore.statements import statement

__all__ = ["is_current", "create", "events", "sole_writer", "metadata", "FUNCTIONS"]

metadata: Final = MetaData()

events: Final = Table(
    "events",
    metadata,
    Column("stream", Text(collation="C"), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("path", Text(collation="C"), nullable=False),
    Column("value", JSON),
    Column("headers", JSON, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("command_id", Text(collation="C")),
    PrimaryKeyConstraint("stream", "revision", name="events_pkey"),
    UniqueConstraint("position", name="events_position_key"),
    comment="The log: every event there ever was, in the order of position.",
)
"""The primary key begins with the entity, so that the table can be distributed by it."""

Index(
    "events_command_key",
    events.c.stream,
    events.c.command_id,
    unique=True,
    postgresql_where=events.c.command_id.is_not(None),
)
Index("events_recorded_at_idx", events.c.recorded_at, events.c.position)

sole_writer: Final = Table(
    "sole_writer",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=true(), autoincrement=False),
    Column("owner", Text(collation="C")),
    Column("token", BigInteger, nullable=False),
    Column("term", Double, nullable=False),
    Column("contested", Boolean, nullable=False),
    comment="Who may trust its cached states without asking the log, if anybody.",
)

FUNCTIONS: Final = (
    "refuse_change_1",
    "events_immutable_1",
    "events_immutable_always_1",
    "append_events_1",
    "take_sole_writer_1",
)
"""Functions and triggers in the order of creation: files in ``eventstore/migrations/functions``."""


def create(connection: Connection) -> None:
    """Build the schema in an empty database, without migrations: what the tests compare a migrated one with."""
    metadata.create_all(connection)
    for name in FUNCTIONS:
        connection.exec_driver_sql(statement(name, package="eventstore.migrations.functions"))
