"""Alembic without its command line: bring a database up to date, and see whether it is.

Revisions live beside what they change, on one branch per package: ``eventstore/migrations/versions`` (label
``eventstore``) and ``projections/migrations/versions`` (label ``projections``). The second is named here as a location
only; nothing of it is imported by the event store's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from eventstore.errors import translate_errors

VERSION_TABLE: Final = "schema_revisions"

LOCATIONS: Final = ("eventstore.migrations:versions", "projections.migrations:versions")

_LOCK: Final = (21591, 2)
"""Class and number of the advisory lock; (21591, 1) is the append's."""


async def migrate(url: str, revision: str = "heads") -> None:
    """Bring the database at ``url`` to ``revision``, all in one transaction; nothing to do is fine.

    Processes that start at once queue up: the lock is taken before anybody reads how far the schema is.
    Raises ``StoreUnavailable`` when the server cannot be reached.
    """
    engine = _engine(url)
    try:
        with translate_errors(), _driver_errors():
            async with engine.begin() as connection:
                await connection.execute(select(func.pg_advisory_xact_lock(*_LOCK)))
                await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


async def is_current(url: str) -> bool:
    """Whether the database at ``url`` has exactly the revisions that this version of the code wants."""
    engine = _engine(url)
    try:
        with translate_errors(), _driver_errors():
            async with engine.connect() as connection:
                present = await connection.run_sync(_heads)
    finally:
        await engine.dispose()
    return present == set(ScriptDirectory.from_config(_config()).get_heads())


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise what the driver said for SQLAlchemy's wrapping of it."""
    try:
        yield
    except DBAPIError as wrapped:
        raise (wrapped.orig and wrapped.orig.__cause__) or wrapped from None


def _engine(url: str) -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(url), poolclass=NullPool)


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _heads(connection: Connection) -> set[str]:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return set(context.get_current_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "eventstore:migrations")
    config.set_main_option("path_separator", "space")
    config.set_main_option("version_locations", " ".join(LOCATIONS))
    return config
