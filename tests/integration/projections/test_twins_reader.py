from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from eventstore.events import StreamName
from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from projections.events import follow, freeze, thaw
from projections.statements import statement
from projections.twins import InMemoryTwins, Loaded, TwinsProjection, TwinsReader
from tests.integration.projections.fleet import Fleet, created, deleted, modified

PUMP, VALVE, GONE, UNKNOWN = (StreamName(f"thing:farm.one:{name}") for name in ("pump", "valve", "gone", "unknown"))


async def apply_all(pool: Pool, store: PostgresEventStore, *, upto: int) -> None:
    events = [event async for page in store.read() for event in page if event.position <= upto]
    async with pool.acquire() as connection, connection.transaction():
        await TwinsProjection().apply(connection, events)


def current(loaded: Loaded) -> bytes:
    state = None if loaded.snapshot is None else thaw(loaded.snapshot)
    for event in loaded.tail:
        state = follow(state, event)
    assert state is not None
    return freeze(state)


async def some_history(fleet: Fleet) -> None:
    await fleet.change(created("farm.one:pump", n=0), created("farm.one:gone"), deleted("farm.one:gone"))
    for number in range(5):
        await fleet.change(modified("farm.one:pump", "n", number), created(f"farm.two:x{number}"))
    await fleet.change(created("farm.one:valve"))


@pytest.mark.parametrize("upto", [0, 1, 3, 6, 9, 13, 14])
async def test_row_and_tail_give_the_exact_state_however_far_the_read_model_is(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, upto: int
) -> None:
    await some_history(fleet)
    await apply_all(pool, store, upto=upto)
    loaded = await TwinsReader(pool).load({PUMP: 0, VALVE: 0, GONE: 0, UNKNOWN: 0})
    exact = await InMemoryTwins(store).load({PUMP: 0, VALVE: 0, GONE: 0, UNKNOWN: 0})
    assert set(loaded) == {PUMP, VALVE, GONE, UNKNOWN}
    assert loaded[UNKNOWN] == Loaded(snapshot=None, tail=())
    for stream in (PUMP, VALVE, GONE):
        assert current(loaded[stream]) == current(exact[stream])
        snapshot = loaded[stream].snapshot
        first = 0 if snapshot is None else snapshot.revision
        assert [event.revision for event in loaded[stream].tail] == list(range(first + 1, len(exact[stream].tail) + 1))


async def test_a_known_revision_brings_only_what_came_after_it(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await some_history(fleet)
    await apply_all(pool, store, upto=14)
    loaded = await TwinsReader(pool).load({PUMP: 4, VALVE: 1})
    expected = await store.read_stream(PUMP, after_revision=4)
    assert loaded == {PUMP: Loaded(snapshot=None, tail=tuple(expected)), VALVE: Loaded(snapshot=None, tail=())}


async def test_rows_are_what_a_walk_through_the_streams_gives(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await some_history(fleet)
    await apply_all(pool, store, upto=14)
    streams = [PUMP, VALVE, GONE, UNKNOWN]
    real, fake = TwinsReader(pool), InMemoryTwins(store)
    assert await real.read(streams) == await fake.read(streams)
    questions: tuple[dict[str, Any], ...] = (
        {},
        {"limit": 3},
        {"namespaces": ["farm.two"], "limit": 2, "after_stream": "thing:farm.two:x1"},
        {"namespaces": ["farm.one", "farm.two"]},
        {"namespaces": []},
        {"namespaces": ["farm"]},
        {"after_stream": "thing:farm.one:pump"},
    )
    for question in questions:
        assert await real.list_things(**question) == await fake.list_things(**question)


async def test_values_are_kept_as_they_were_written(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await fleet.change(created("farm.one:pump", text="ü\u0000 \U0001f600", number=1e22, big=2**53 + 1))
    await apply_all(pool, store, upto=1)
    [snapshot] = await TwinsReader(pool).list_things()
    assert orjson.loads(snapshot.state)["attributes"] == {
        "text": "ü\u0000 \U0001f600",
        "number": 1e22,
        "big": 2**53 + 1,
    }
    assert replace(snapshot, state=b"") == replace((await InMemoryTwins(store).list_things())[0], state=b"")


async def test_a_load_is_one_statement_over_the_index(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await some_history(fleet)
    await pool.execute("ANALYZE events, twins")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch("EXPLAIN " + statement("load_twins"), [PUMP], [0]))
    assert "events_pkey" in plan
    assert "Seq Scan" not in plan
    assert "stream = " in plan
