from __future__ import annotations

import pytest

from eventstore.memory import InMemoryEventStore
from eventstore.store import EventStore
from tests.contract.suite import EventStoreContract


class TestInMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> EventStore:
        return InMemoryEventStore()
