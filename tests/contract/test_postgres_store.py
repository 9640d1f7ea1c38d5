from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.store import EventStore
from tests.contract.suite import EventStoreContract


class TestPostgresEventStore(EventStoreContract):
    @pytest.fixture
    async def store(self, database_url: str) -> AsyncIterator[EventStore]:
        async with await create_pool(database_url, size=6) as pool, PostgresEventStore(pool) as store:
            yield store
