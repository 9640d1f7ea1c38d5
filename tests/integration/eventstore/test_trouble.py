"""Connections that are cut, servers that restart, settings that would lose data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from eventstore.errors import AppendUnknown, StoreUnavailable
from eventstore.events import Commit, StreamName
from eventstore.feed import Feed
from eventstore.migrations import migrate
from eventstore.pool import Connection, create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.store import Selection
from services.embedded.postgres import EmbeddedPostgres
from tests.contract.given import NOON, PUMP, TANK, append, commit, event, everything, first, positions
from tests.integration.eventstore.process import other_process
from tests.integration.eventstore.test_positions import append_raw, someone_waits
from tests.waiting import eventually

CUT_OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.fixture
async def own_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    home: Path = tmp_path_factory.mktemp("own-server")
    async with EmbeddedPostgres(home) as server:
        await migrate(server.url)
        yield server


async def patiently_append(store: PostgresEventStore, stream: StreamName, count: int) -> None:
    """What a careful client does: ask the log before trying again."""
    revision = 0
    while revision < count:
        try:
            await append(store, commit(stream, revision))
        except StoreUnavailable:
            revision = await patient_revision(store, stream)
        else:
            revision += 1


async def patient_revision(store: PostgresEventStore, stream: StreamName) -> int:
    while True:
        try:
            return len(await store.read_stream(stream))
        except StoreUnavailable:
            await asyncio.sleep(0.02)


async def test_who_stands_still_while_deciding_alone_does_not_stop_others_for_ever(
    store: PostgresEventStore, database_url: str
) -> None:
    begun, resumed = asyncio.Event(), asyncio.Event()

    async def decide() -> list[Commit]:
        begun.set()
        await resumed.wait()
        return [commit(PUMP, 0)]

    alone = asyncio.create_task(store.append_alone(decide, recorded_at=NOON))
    await begun.wait()
    async with await create_pool(database_url, size=2) as pool, PostgresEventStore(pool) as other:
        assert positions(await append(other, commit(PUMP, 0))) == [1]
    resumed.set()
    with pytest.raises(StoreUnavailable):
        await alone
    assert positions(await append(store, commit(PUMP, 1))) == [2]


async def test_an_append_whose_connection_is_cut_has_an_unknown_outcome(
    store: PostgresEventStore, session: Connection, database_url: str
) -> None:
    """Looked into over new connections: which of the old ones are cut the store learns when it uses them."""
    blocking = session.transaction()
    await blocking.start()
    await append_raw(session, TANK, 0)
    waiting = asyncio.create_task(store.append([commit(PUMP, 0, command="c")], recorded_at=NOON))
    await eventually(lambda: someone_waits(session))
    await session.execute(CUT_OTHERS)
    with pytest.raises(AppendUnknown):
        await waiting
    await blocking.commit()
    async with await create_pool(database_url, size=1) as pool:
        later = PostgresEventStore(pool)
        assert await later.find_command(PUMP, "c") is None
        assert positions(await append(later, commit(PUMP, 0, command="c"))) == [2]


async def test_a_closed_pool_is_unavailable_and_nothing_was_appended(
    store: PostgresEventStore, database_url: str
) -> None:
    pool = await create_pool(database_url, size=1)
    await pool.close()
    with pytest.raises(StoreUnavailable) as refused:
        await PostgresEventStore(pool).append([commit(PUMP, 0)], recorded_at=NOON)
    assert not isinstance(refused.value, AppendUnknown)
    assert await store.head() == 0


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await create_pool("postgresql://nobody@127.0.0.1:1/none")


async def test_subscribers_survive_cut_connections(
    store: PostgresEventStore, other: PostgresEventStore, session: Connection
) -> None:
    following = asyncio.create_task(first(store.subscribe(), 60))
    writing = asyncio.create_task(patiently_append(other, PUMP, 60))
    for reached in (10, 30):
        await eventually(partial(reaches, session, reached))
        await session.execute(CUT_OTHERS)
    await writing
    assert positions(await following) == list(range(1, 61))


async def reaches(session: Connection, position: int) -> bool:
    return bool(await session.fetchval("select coalesce(max(position), 0) >= $1 from events", position))


async def test_without_notifications_others_are_found_by_looking(
    database_url: str, store: PostgresEventStore, session: Connection
) -> None:
    following = asyncio.create_task(first(store.subscribe(), 1))
    await append_raw(session, PUMP, 0)
    assert positions(await following) == [1]


async def test_a_slow_subscriber_that_falls_out_of_the_ring_misses_nothing(database_url: str) -> None:
    async with (
        await create_pool(database_url, size=3) as pool,
        PostgresEventStore(pool, feed=Feed(pool, capacity=5)) as store,
    ):
        found: list[int] = []
        revision = len(await append(store, commit(PUMP, 0)))
        async for batch in store.subscribe(Selection(to_position=300), page_size=10):
            found += positions(batch)
            await append(store, commit(PUMP, revision, *[event()] * 40))
            revision += 40
        assert found == list(range(1, 301))


async def test_a_subscription_needs_an_open_store(database_url: str) -> None:
    async with await create_pool(database_url, size=2) as pool:
        with pytest.raises(StoreUnavailable, match="closed"):
            await first(PostgresEventStore(pool).subscribe(), 1)


async def test_a_waiting_subscriber_is_told_when_the_store_closes(database_url: str) -> None:
    async with await create_pool(database_url, size=2) as pool:
        async with PostgresEventStore(pool) as store:
            following = asyncio.create_task(first(store.subscribe(), 1))
            await append(store, commit(PUMP, 0))
            await following
            following = asyncio.create_task(first(store.subscribe(Selection(after_position=1)), 1))
            await eventually(lambda: store.feed.followed)
        with pytest.raises(StoreUnavailable, match="closed"):
            await following


async def test_two_processes_write_and_a_third_follows(database_url: str, store: PostgresEventStore) -> None:
    following = asyncio.create_task(first(store.subscribe(), 360))
    async with (
        other_process("write", database_url, PUMP, "120") as one,
        other_process("write", database_url, TANK, "120") as two,
    ):
        await patiently_append(store, StreamName("thing:own:own"), 120)
        assert [await process.process.wait() for process in (one, two)] == [0, 0]
    assert positions(await following) == list(range(1, 361))
    assert [e.revision for e in await store.read_stream(PUMP)] == list(range(1, 121))


async def test_writers_and_subscribers_survive_restarts_of_the_server(own_server: EmbeddedPostgres) -> None:
    async with await create_pool(own_server.url, size=4) as pool, PostgresEventStore(pool) as store:
        following = asyncio.create_task(first(store.subscribe(), 200))
        writing = [asyncio.create_task(patiently_append(store, stream, 100)) for stream in (PUMP, TANK)]
        await eventually(lambda: store.feed.ring.end >= 20)
        await own_server.restart()
        await eventually(lambda: store.feed.ring.end >= 60)
        await own_server.kill()
        await own_server.start()
        await asyncio.gather(*writing)
        assert positions(await following) == list(range(1, 201))
        assert positions(await everything(store)) == list(range(1, 201))


async def test_a_role_that_trades_durability_away_is_overruled(own_server: EmbeddedPostgres) -> None:
    session = await asyncpg.connect(own_server.url)
    await session.execute("alter role current_user set synchronous_commit = off")
    async with await create_pool(own_server.url, size=2) as pool, pool.acquire() as connection:
        assert await connection.fetchval("show synchronous_commit") == "on"
    await session.execute("alter role current_user set synchronous_commit = remote_apply")
    async with await create_pool(own_server.url, size=2) as pool, pool.acquire() as connection:
        assert await connection.fetchval("show synchronous_commit") == "remote_apply"
    await session.close()
