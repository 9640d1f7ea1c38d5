"""The SQL of the read models: one file per statement, read once."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"


@cache
def statement(name: str) -> str:
    """The text of ``sql/<name>.sql``; the same string each time, so that drivers find it prepared."""
    return resources.files("projections").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
