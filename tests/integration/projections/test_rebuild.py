from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from eventstore.events import StreamName
from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from projections.projection import Projection
from projections.rebuild import Rebuild, RebuildOptions, RebuildProgress
from projections.revisions import RevisionsProjection
from projections.runner import ProjectionRunner
from projections.twins import TwinsProjection, TwinsReader
from tests.integration.projections.fleet import Fleet, created, deleted, fill, modified, position, reached, running
from tests.waiting import eventually

PROJECTIONS: list[Callable[[], Projection]] = [TwinsProjection, RevisionsProjection]


async def traces(pool: Pool) -> tuple[int, int]:
    schemas = await pool.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'")
    consumers = await pool.fetchval("SELECT count(*) FROM consumers WHERE name LIKE '%:rebuild'")
    return schemas, consumers


async def structure(pool: Pool) -> list[tuple[str, ...]]:
    rows = await pool.fetch(
        "SELECT tablename || ' ' || indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
        " UNION ALL SELECT relname || ' ' || coalesce(reloptions::text, '') || ' ' || coalesce(relacl::text, '')"
        " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("make", PROJECTIONS)
async def test_a_rebuild_under_concurrent_writes_equals_the_live_tables(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, make: Callable[[], Projection]
) -> None:
    await fill(fleet, things=50, rounds=10)
    stop = asyncio.Event()

    async def write() -> None:
        round_ = 0
        while not stop.is_set():
            round_ += 1
            await fleet.change(*(modified(f"farm.one:t{n}", "m", round_) for n in range(0, 50, 7)))
            await fleet.change(created(f"farm.two:x{round_}"), deleted(f"farm.two:x{round_}"))

    name = make().name

    async def read() -> None:
        thing = StreamName("thing:farm.one:t1")
        while not stop.is_set():
            [loaded] = (await TwinsReader(pool).load({thing: 0})).values()
            assert loaded.snapshot or loaded.tail

    async with running(ProjectionRunner(pool, store, make).run()):
        await reached(pool, name, 100)
        writing = asyncio.gather(write(), read())
        options = RebuildOptions(compare=True, page_size=37)
        for _ in range(3):
            rebuilt = await Rebuild(pool, store, make(), options=options).run()
            assert rebuilt.differences == ()
            assert rebuilt.events >= rebuilt.position > 500
        stop.set()
        await writing
        head = await store.head()
        await reached(pool, name, head)
    assert await position(pool, name) == head
    assert await traces(pool) == (0, 0)


async def test_the_swapped_tables_are_built_and_granted_like_the_old_ones(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await fill(fleet, things=3, rounds=1)
    await pool.execute("GRANT SELECT ON twins TO PUBLIC")
    before = await structure(pool)
    for make in PROJECTIONS:
        await Rebuild(pool, store, make()).run()
    assert await structure(pool) == before


async def test_differences_are_reported_and_mended(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    head = await fill(fleet, things=5, rounds=1)
    async with running(ProjectionRunner(pool, store, TwinsProjection).run()):
        await reached(pool, "twins", head)
    await pool.execute("UPDATE twins SET state = '{}' WHERE stream = 'thing:farm.one:t3'")
    await pool.execute("DELETE FROM twins WHERE stream = 'thing:farm.one:t4'")
    check = await Rebuild(pool, store, TwinsProjection(), options=RebuildOptions(compare=True, swap=False)).run()
    assert [(found.table, found.live is None) for found in check.differences] == [("twins", False), ("twins", True)]
    assert "{}" in (check.differences[0].live or "")
    assert await pool.fetchval("SELECT count(*) FROM twins") == 4
    mended = await Rebuild(pool, store, TwinsProjection(), options=RebuildOptions(compare=True)).run()
    assert len(mended.differences) == 2
    assert (await Rebuild(pool, store, TwinsProjection(), options=RebuildOptions(compare=True)).run()).differences == ()
    assert await traces(pool) == (0, 0)


async def test_a_cancelled_rebuild_leaves_no_trace(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await fill(fleet, things=20, rounds=10)
    seen: list[RebuildProgress] = []
    options = RebuildOptions(page_size=10, events_per_second=200)
    rebuild = Rebuild(pool, store, TwinsProjection(), options=options, report=seen.append)
    rebuilding = asyncio.create_task(rebuild.run())

    async def begun() -> bool:
        return len(seen) > 2

    await eventually(begun)
    assert await traces(pool) == (1, 1)
    rebuilding.cancel()
    await asyncio.gather(rebuilding, return_exceptions=True)
    assert rebuilding.cancelled()
    assert await traces(pool) == (0, 0)
    assert await pool.fetchval("SELECT count(*) FROM twins") == 0


async def test_an_interrupted_rebuild_is_resumed_where_it_was(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=20, rounds=10)
    options = RebuildOptions(page_size=10, events_per_second=500, keep_when_cancelled=True)
    seen: list[RebuildProgress] = []
    first = asyncio.create_task(Rebuild(pool, store, RevisionsProjection(), options=options, report=seen.append).run())

    async def begun() -> bool:
        return len(seen) > 2

    await eventually(begun)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    done = await position(pool, "revisions:rebuild")
    assert done >= 30
    resumed = await Rebuild(pool, store, RevisionsProjection()).run()
    assert (resumed.events, resumed.position) == (head - done, head)
    assert await pool.fetchval("SELECT sum(events) FROM namespace_revisions") == head


async def test_progress_tells_done_total_rate_and_the_throttle_holds(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=20, rounds=10)
    seen: list[RebuildProgress] = []
    options = RebuildOptions(page_size=20, events_per_second=400)
    rebuilt = await Rebuild(pool, store, TwinsProjection(), options=options, report=seen.append).run()
    assert [progress.done for progress in seen] == list(range(20, head + 1, 20))
    assert {progress.total for progress in seen} == {head}
    assert seen[-1].remaining == 0
    assert rebuilt.seconds >= (head - 40) / 400
    assert seen[-1].rate <= 400 * head / (head - 40)


class NewTwins(TwinsProjection):
    version = 2


async def test_rows_of_another_version_are_rebuilt_before_anything_is_added(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=5, rounds=2)
    async with running(ProjectionRunner(pool, store, TwinsProjection).run()):
        await reached(pool, "twins", head)
    await pool.execute("UPDATE twins SET state = '{}'")
    await fleet.change(created("farm.one:late"))
    async with running(ProjectionRunner(pool, store, NewTwins).run()):
        await reached(pool, "twins", head + 1)
    assert await pool.fetchval("SELECT version FROM consumers WHERE name = 'twins'") == 2
    assert await pool.fetchval("SELECT count(*) FROM twins WHERE state::text <> '{}'") == 6
    assert await traces(pool) == (0, 0)


async def test_rows_that_do_not_lead_to_the_next_event_are_rebuilt(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=5, rounds=2)
    async with running(ProjectionRunner(pool, store, TwinsProjection).run()):
        await reached(pool, "twins", head)
    await pool.execute("TRUNCATE twins")
    await fleet.change(modified("farm.one:t2", "n", "last"))
    async with running(ProjectionRunner(pool, store, TwinsProjection).run()):
        await reached(pool, "twins", head + 1)
    assert await pool.fetchval("SELECT count(*) FROM twins") == 5
