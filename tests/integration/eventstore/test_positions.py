"""Positions are dense and safe to read, whatever other writers do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from eventstore.errors import StoreUnavailable
from eventstore.events import Commit, StreamName
from eventstore.pool import Connection, create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.store import Selection
from tests.contract.given import NOON, PUMP, TANK, append, commit, event, everything, first, positions
from tests.waiting import eventually

RAW_APPEND = """
select outcome, head from append_events('slow', now(), array[$1], array[$2::bigint], array[]::text[], array[]::text[],
    array[$1], array[$2::bigint + 1], array['modified'], array['/slow'], array[null::json], array['{}'::json],
    array[null::text])
"""


async def someone_waits(session: Connection) -> bool:
    waiting = await session.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    return bool(waiting)


async def append_raw(session: Connection, stream: str, expected: int) -> tuple[object, ...]:
    """Append by the function itself, in whatever transaction the session is."""
    row = await session.fetchrow(RAW_APPEND, stream, expected)
    assert row is not None
    return tuple(row)


async def test_a_slow_writer_is_waited_for_and_comes_first(
    store: PostgresEventStore, session: Connection, other: PostgresEventStore
) -> None:
    slow = session.transaction()
    await slow.start()
    assert await append_raw(session, PUMP, 0) == ("appended", 0)
    waiting = asyncio.create_task(append(store, commit(TANK, 0)))
    await eventually(lambda: someone_waits(session))
    assert await other.head() == 0
    await slow.commit()
    assert positions(await waiting) == [2]
    assert [e.stream for e in await everything(other)] == [PUMP, TANK]


async def test_a_slow_writer_that_rolls_back_leaves_no_hole(store: PostgresEventStore, session: Connection) -> None:
    await append(store, commit(PUMP, 0))
    slow = session.transaction()
    await slow.start()
    assert await append_raw(session, PUMP, 1) == ("appended", 1)
    waiting = asyncio.create_task(append(store, commit(PUMP, 1)))
    await eventually(lambda: someone_waits(session))
    await slow.rollback()
    assert [(e.position, e.revision, e.path) for e in await waiting] == [(2, 2, "/attributes/a")]


async def test_the_head_is_read_after_the_lock_also_in_a_transaction_that_began_before(
    store: PostgresEventStore, session: Connection
) -> None:
    slow = session.transaction()
    await slow.start()
    await session.fetchval("select count(*) from events")
    await append(store, commit(PUMP, 0))
    assert await append_raw(session, TANK, 0) == ("appended", 1)
    await slow.commit()


async def test_an_old_snapshot_cannot_append(session: Connection) -> None:
    async with session.transaction(isolation="repeatable_read"):
        with pytest.raises(asyncpg.PostgresError, match="READ COMMITTED"):
            await append_raw(session, PUMP, 0)


async def test_a_writer_that_never_ends_is_not_waited_for_for_ever(database_url: str, session: Connection) -> None:
    async with await create_pool(database_url, size=2, lock_timeout=0.2) as pool, session.transaction():
        await append_raw(session, PUMP, 0)
        with pytest.raises(StoreUnavailable):
            await PostgresEventStore(pool).append([commit(TANK, 0)], recorded_at=NOON)


async def test_no_reader_misses_an_event_among_slow_aborting_and_competing_writers(
    database_url: str, store: PostgresEventStore, other: PostgresEventStore
) -> None:
    """A naive reader asks for what lies behind its place and never looks back."""
    rounds, writers = 25, 3
    done = asyncio.Event()

    async def write(through: PostgresEventStore, name: int) -> None:
        for revision in range(0, rounds * 2, 2):
            await append(through, commit(StreamName(f"thing:w:{name}"), revision, event(), event()))

    async def dawdle() -> None:
        session = await asyncpg.connect(database_url)
        for turn in range(rounds):
            transaction = session.transaction()
            await transaction.start()
            await append_raw(session, "thing:w:slow", turn // 2)
            await session.execute("select pg_sleep(0.005)")
            await (transaction.rollback() if turn % 2 == 0 else transaction.commit())
        await session.close()

    async def read_naively(found: list[int]) -> None:
        while True:
            over = done.is_set()
            place = found[-1] if found else 0
            found += positions(await everything(other, Selection(after_position=place), page_size=7))
            if over:
                return

    naive: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read_naively(naive))
        async with asyncio.TaskGroup() as writing:
            writing.create_task(dawdle())
            for name in range(writers):
                writing.create_task(write(store if name % 2 else other, name))
        done.set()
    total = rounds * 2 * writers + rounds // 2
    assert naive == list(range(1, total + 1))


async def test_time_never_runs_backwards_among_processes(store: PostgresEventStore, other: PostgresEventStore) -> None:
    commits: Sequence[Commit] = [commit(PUMP, 0)]
    await append(store, *commits, at=NOON.replace(hour=13))
    (late,) = await append(other, commit(TANK, 0), at=NOON)
    assert late.recorded_at == NOON.replace(hour=13)
    assert positions(await everything(store, Selection(from_time=NOON.replace(hour=13)))) == [1, 2]


async def test_a_subscriber_here_sees_what_is_appended_there_within_milliseconds(
    store: PostgresEventStore, other: PostgresEventStore
) -> None:
    following = asyncio.create_task(first(store.subscribe(), 1))
    await append(other, commit(PUMP, 0))
    assert positions(await following) == [1]
