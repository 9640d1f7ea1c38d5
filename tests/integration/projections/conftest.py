from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventstore.pool import Pool, create_pool
from eventstore.postgres import PostgresEventStore
from tests.integration.projections.fleet import Fleet


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await create_pool(database_url, size=12)
    yield pool
    await pool.close()


@pytest.fixture
async def store(pool: Pool) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(pool) as store:
        yield store


@pytest.fixture
def fleet(store: PostgresEventStore) -> Fleet:
    return Fleet(store)
