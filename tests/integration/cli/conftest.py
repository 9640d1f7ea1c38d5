from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from eventstore.events import Commit, NewEvent, StreamAppend, StreamName
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from tests.integration.cli.program import Twinlog

HEADERS = b'{"ditto-originator":"nginx:ada"}'
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Fill = Callable[[int], Awaitable[None]]


@pytest.fixture
async def twinlog(database_url: str, tmp_path: Path) -> AsyncIterator[Twinlog]:
    program = Twinlog(
        {
            "TWINLOG_HOME": str(tmp_path / "home"),
            "TWINLOG_DATABASE_URL": database_url,
            "TWINLOG_AMQP_URL": "off",
            "TWINLOG_BASIC_USERS": "ada:lovelace",
        }
    )
    yield program
    await program.end_all()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    async with await create_pool(database_url, size=2) as pool:
        yield PostgresEventStore(pool)


@pytest.fixture
def fill(store: PostgresEventStore) -> Fill:
    """Write events of farm.one:pump-0 … pump-9 into the log, one position a minute in recorded time."""

    async def write(count: int) -> None:
        head = await store.head()
        revisions = dict.fromkeys(range(10), 0)
        for place in range(head, head + count, 1_000):
            commits = []
            for number in range(place, min(place + 1_000, head + count)):
                pump = number % 10
                value = {"thingId": f"farm.one:pump-{pump}", "attributes": {"n": number}}
                event = (
                    NewEvent(type="created", path="/", value=orjson.dumps(value), headers=HEADERS)
                    if not revisions[pump]
                    else NewEvent(type="modified", path="/attributes/n", value=b"%d" % number, headers=HEADERS)
                )
                stream = StreamName(f"thing:farm.one:pump-{pump}")
                append = StreamAppend(stream=stream, expected_revision=revisions[pump], events=(event,))
                commits.append(Commit(appends=(append,)))
                revisions[pump] += 1
            await store.append(commits, recorded_at=FIRST_DAY + timedelta(minutes=place))

    return write
