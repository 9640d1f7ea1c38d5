"""Two stores on one database, each with connections of its own, as two processes would have."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from eventstore.pool import Connection, create_pool
from eventstore.postgres import PostgresEventStore


async def _store(url: str) -> AsyncIterator[PostgresEventStore]:
    async with await create_pool(url, size=4) as pool, PostgresEventStore(pool) as store:
        yield store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async for opened in _store(database_url):
        yield opened


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async for opened in _store(database_url):
        yield opened


@pytest.fixture
async def session(database_url: str) -> AsyncIterator[Connection]:
    """A plain database session, as an operator would have."""
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
