from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventstore.pool import Pool, create_pool
from projections.search.reader import SESSION
from tests.integration.search.searched import Searched


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await create_pool(database_url, size=4, settings=SESSION)
    yield pool
    await pool.close()


@pytest.fixture
async def searched(pool: Pool) -> Searched:
    return Searched(pool)
