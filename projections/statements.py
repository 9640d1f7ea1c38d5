"""The SQL of the read models: one file per statement in ``projections/sql``."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from eventstore import statements
from eventstore.pool import Connection as OwnConnection
from eventstore.pool import Pool, PooledConnection

__all__ = ["Connection", "Pool", "statement"]

Connection: TypeAlias = "OwnConnection | PooledConnection"


@cache
def statement(name: str) -> str:
    """The text of ``<name>.sql``; the same string each time, so that the driver finds it prepared."""
    return statements.statement(name, package="projections.sql")
