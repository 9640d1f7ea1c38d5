"""Copies that are filled stream by stream: the same rows, keys and indexes as any, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest
from typing_extensions import override

from eventstore.events import RecordedEvent
from eventstore.pool import Pool, create_pool
from eventstore.postgres import PostgresEventStore
from projections.deadlines import DeadlinesProjection
from projections.leases import LeaseLost
from projections.progress import standings
from projections.projection import Projection
from projections.rebuild import Rebuild, RebuildOptions, RebuildProgress, rebuild_together
from projections.revisions import RevisionsProjection
from projections.runner import ProjectionRunner
from projections.search.fields import of_paths
from projections.search.projection import SearchProjection
from projections.shadow import Place, Shadow
from projections.twins import TwinsProjection
from protocol.context import RootPolicies
from protocol.identifiers import PolicyId
from tests.integration.projections.fleet import (
    Change,
    Fleet,
    contents,
    created,
    deleted,
    fill,
    modified,
    reached,
    running,
)

ROOTS: RootPolicies = (("farm.two", PolicyId("farm.one:root")),)
PROJECTIONS: list[Callable[[], Projection]] = [
    TwinsProjection,
    RevisionsProjection,
    DeadlinesProjection,
    lambda: SearchProjection(root_policies=ROOTS),
]
BY_STREAM = RebuildOptions(load_from=1, page_size=7)
IN_ORDER = RebuildOptions(load_from=1_000_000, page_size=7)

CATALOG = """
SELECT tablename || ' ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT relname || ' ' || relpersistence::text || ' ' || coalesce(reloptions::text, '') || ' '
    || coalesce(relacl::text, '')
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')
UNION ALL SELECT attrelid::regclass || '.' || attname || ' ' || attnum || ' ' || atttypid::regtype || ' ' || attnotnull
    || ' ' || coalesce(collname, '')
FROM pg_attribute LEFT JOIN pg_collation ON pg_collation.oid = attcollation
JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
ORDER BY 1
"""


class OneReading(PostgresEventStore):
    """Counts how often the log is read, and how."""

    by_stream = 0

    @override
    def read_by_stream(
        self, *, to_position: int, after_stream: str = "", page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        self.by_stream += 1
        return super().read_by_stream(to_position=to_position, after_stream=after_stream, page_size=page_size)


def policy(name: str, reader: str, *, imports: str | None = None, importable: str = "implicit") -> Change:
    read = {"grant": ["READ"], "revoke": []}
    subject = {"type": "t", "expiry": "2044-01-01T00:00:00Z"} if reader == "expiring" else {"type": "t"}
    entry = {"subjects": {reader: subject}, "resources": {"thing:/": read}, "importable": importable}
    document = {"policyId": name, "entries": {"e": entry}, "imports": {imports: {}} if imports else {}}
    return f"policy:{name}", "created", "/", document


async def eventful(fleet: Fleet) -> int:
    """Everything that makes rows depend on more than one event or one entity."""
    await fleet.change(
        *(policy(f"farm.one:p{number}", f"reader{number % 3}") for number in range(5)),
        policy("farm.one:a-importer", "a", imports="farm.one:p1"),
        policy("farm.one:z-importer", "z", imports="farm.one:a-importer"),
        policy("farm.two:rooted", "b"),
        policy("farm.one:root", "root"),
        policy("farm.one:expiry", "expiring"),
        policy("farm.one:short", "gone"),
    )
    await fill(fleet, things=9, rounds=4)
    await fill(fleet, things=3, rounds=1, namespace="farm.two")
    await fleet.change(deleted("farm.one:t3"), deleted("farm.one:t4"), ("policy:farm.one:short", "deleted", "/", ...))
    await fleet.change(("policy:farm.one:p1", "modified", "/entries/e/subjects", {"other": {"type": "t"}}))
    await fleet.change(("namespace:farm.two", "modified", "/search-index", ["thingId", "attributes/n"]))
    await fleet.change(created("farm.one:t4", n="again", deep={"a": [1, {"b": None}]}, text="x" * 2_000))
    await fleet.change(modified("farm.two:t1", "m", [True, "é\x01"]), ("thing:farm.one:t5", "merged", "/", {"a": None}))
    events = await fleet.change(("announcement:farm.one:p1", "announced", "/x", {}), modified("farm.one:t8", "n", None))
    return events[-1].position


@pytest.mark.parametrize("make", PROJECTIONS)
@pytest.mark.parametrize("page_size", [1, 7, 4_000])
async def test_rows_are_those_of_a_replay_in_order(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, make: Callable[[], Projection], page_size: int
) -> None:
    head = await eventful(fleet)
    options = RebuildOptions(load_from=1, page_size=page_size)
    by_stream = await Rebuild(pool, store, make(), options=options).run()
    filled = await contents(pool, make())
    in_order = await Rebuild(pool, store, make(), options=IN_ORDER).run()
    assert (by_stream.events, by_stream.position) == (in_order.events, in_order.position) == (head, head)
    assert filled == await contents(pool, make())
    assert any(filled.values())


async def test_all_together_read_the_log_once_and_stay_equal_under_concurrent_writes(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await eventful(fleet)
    stop = asyncio.Event()

    async def write() -> None:
        round_ = 0
        while not stop.is_set():
            round_ += 1
            await fleet.change(
                *(modified(f"farm.one:t{n}", "m", round_) for n in (0, 5, 7)), created(f"farm.x:{round_}")
            )
            await fleet.change(modified(f"farm.x:{round_}", "n", 1), deleted(f"farm.x:{round_}"))
            await reached(pool, "search", await store.head())

    async with running(*(ProjectionRunner(pool, store, make).run() for make in PROJECTIONS)):
        for make in PROJECTIONS:
            await reached(pool, make().name, head)
        writing = asyncio.create_task(write())
        for compare in (True, False, True):
            counting = OneReading(pool)
            options = RebuildOptions(load_from=1, page_size=7, compare=compare)
            rebuilds = [Rebuild(pool, counting, make(), options=options) for make in PROJECTIONS]
            answers = await rebuild_together(rebuilds)
            assert [rebuilt.differences for rebuilt in answers] == [()] * len(PROJECTIONS)
            assert all(rebuilt.events == rebuilt.position >= head for rebuilt in answers)
            assert counting.by_stream == 1
        stop.set()
        await writing
        for make in PROJECTIONS:
            await reached(pool, make().name, await store.head())
    followed = [await contents(pool, make()) for make in PROJECTIONS]
    await rebuild_together([Rebuild(pool, store, make(), options=IN_ORDER) for make in PROJECTIONS])
    assert followed == [await contents(pool, make()) for make in PROJECTIONS]


async def test_tables_have_the_catalog_of_those_that_they_replace(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await eventful(fleet)
    for table in (table for make in PROJECTIONS for table in make().tables):
        await pool.execute(f"GRANT SELECT ON {table} TO PUBLIC")
    before = [row[0] for row in await pool.fetch(CATALOG)]
    await rebuild_together([Rebuild(pool, store, make(), options=BY_STREAM) for make in PROJECTIONS])
    assert [row[0] for row in await pool.fetch(CATALOG)] == before
    assert await pool.fetchval("SELECT count(*) FROM rebuild_loads") == 0
    invalid = "SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)"
    assert await pool.fetchval(invalid) == 0


class Stopped:
    """Rebuilds until a moment, and then is cancelled like a process that ends."""

    def __init__(self, pool: Pool, store: PostgresEventStore, *, keep: bool, rate: float = 1e9) -> None:
        self._pool, self._store = pool, store
        self._options = RebuildOptions(load_from=1, page_size=10, keep_when_cancelled=keep, events_per_second=rate)

    async def when(self, moment: Callable[[RebuildProgress], bool]) -> None:
        come = asyncio.Event()

        def look(progress: RebuildProgress) -> None:
            if moment(progress):
                come.set()

        rebuilds = [
            Rebuild(self._pool, self._store, make(), options=self._options, report=look) for make in PROJECTIONS
        ]
        rebuilding = asyncio.create_task(rebuild_together(rebuilds))
        waiting = asyncio.create_task(come.wait())
        await asyncio.wait({rebuilding, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        rebuilding.cancel()
        await asyncio.gather(rebuilding, return_exceptions=True)
        assert rebuilding.cancelled()


async def places(pool: Pool) -> list[Place | None]:
    return [await Shadow(pool, make()).place() for make in PROJECTIONS]


async def test_an_interrupted_one_goes_on_with_the_next_stream(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await eventful(fleet)
    await Stopped(pool, store, keep=True, rate=200).when(lambda progress: progress.done >= 30)
    twins, revisions, deadlines, search = await places(pool)
    assert twins is not None
    assert (twins, deadlines) == (search, None) == (revisions, None)
    assert 0 < twins.events < twins.upto == head
    told = {standing.name: standing.position for standing in await standings(pool)}
    assert told["twins:rebuild"] == told["search:rebuild"] == twins.events
    resumed = await rebuild_together([Rebuild(pool, store, make(), options=BY_STREAM) for make in PROJECTIONS])
    assert [rebuilt.events for rebuilt in resumed] == [
        head - twins.events,
        head - twins.events,
        head,
        head - twins.events,
    ]
    assert await pool.fetchval("SELECT sum(events) FROM namespace_revisions") == await pool.fetchval(
        "SELECT count(*) FROM events WHERE stream ~ '^(thing|policy):'"
    )
    filled = [await contents(pool, make()) for make in PROJECTIONS]
    await rebuild_together([Rebuild(pool, store, make(), options=IN_ORDER) for make in PROJECTIONS])
    assert filled == [await contents(pool, make()) for make in PROJECTIONS]


async def test_one_of_several_that_were_interrupted_can_be_resumed_alone(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await eventful(fleet)
    await Stopped(pool, store, keep=True, rate=200).when(lambda progress: progress.done >= 30)
    before = (await places(pool))[0]
    assert before is not None
    assert (await Rebuild(pool, store, TwinsProjection(), options=BY_STREAM).run()).events == head - before.events
    await fleet.change(created("farm.one:later"))
    rest = await rebuild_together([Rebuild(pool, store, make(), options=BY_STREAM) for make in PROJECTIONS])
    assert [rebuilt.events for rebuilt in rest] == [
        head + 1,
        head + 1 - before.events,
        head + 1,
        head + 1 - before.events,
    ]
    filled = [await contents(pool, make()) for make in PROJECTIONS]
    await rebuild_together([Rebuild(pool, store, make(), options=IN_ORDER) for make in PROJECTIONS])
    assert filled == [await contents(pool, make()) for make in PROJECTIONS]


async def test_one_that_was_interrupted_among_its_indexes_builds_the_missing_ones(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await eventful(fleet)
    before = [row[0] for row in await pool.fetch(CATALOG)]
    await Stopped(pool, store, keep=True).when(lambda progress: progress.stage == "indexes")
    resumed = await rebuild_together([Rebuild(pool, store, make(), options=BY_STREAM) for make in PROJECTIONS])
    assert resumed[3].events == 0
    assert [row[0] for row in await pool.fetch(CATALOG)] == before


async def test_a_cancelled_one_leaves_nothing(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await eventful(fleet)
    await Stopped(pool, store, keep=False, rate=200).when(lambda progress: progress.done >= 30)
    assert await pool.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'") == 0
    assert await pool.fetchval("SELECT count(*) FROM consumers WHERE name LIKE '%:rebuild'") == 0
    assert await places(pool) == [None] * len(PROJECTIONS)
    assert await pool.fetchval("SELECT count(*) FROM twins") == 0


async def test_progress_is_told_for_events_and_for_indexes_and_the_throttle_holds(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=20, rounds=10)
    seen: list[RebuildProgress] = []
    options = RebuildOptions(load_from=1, page_size=20, events_per_second=400)
    rebuilt = await Rebuild(pool, store, SearchProjection(), options=options, report=seen.append).run()
    events = [progress for progress in seen if progress.stage == "events"]
    assert sorted({progress.done for progress in events}) == list(range(20, head + 1, 20))
    assert {progress.total for progress in events} == {head}
    assert events[-1].remaining == 0
    assert rebuilt.seconds >= (head - 40) / 400
    indexes = [progress for progress in seen if progress.stage == "indexes"]
    assert [progress.done for progress in indexes] == sorted(progress.done for progress in indexes)
    assert len(indexes) == 11
    assert indexes[-1].done == indexes[-1].total > 0


async def test_a_read_model_that_is_new_to_a_long_log_is_filled_and_then_follows(pool: Pool, fleet: Fleet) -> None:
    head = await eventful(fleet)
    counting = OneReading(pool)
    async with counting:
        runners = [ProjectionRunner(pool, counting, make, page_size=9, load_from=head) for make in PROJECTIONS]
        async with running(*(runner.run() for runner in runners)):
            for make in PROJECTIONS:
                await reached(pool, make().name, head)
            events = await fleet.change(modified("farm.one:t5", "n", "later"), created("farm.one:later"))
            for make in PROJECTIONS:
                await reached(pool, make().name, events[-1].position)
    assert counting.by_stream == 3
    followed = [await contents(pool, make()) for make in PROJECTIONS]
    await rebuild_together([Rebuild(pool, counting, make(), options=IN_ORDER) for make in PROJECTIONS])
    assert followed == [await contents(pool, make()) for make in PROJECTIONS]


async def test_what_a_crash_of_the_database_took_back_is_noticed(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await eventful(fleet)
    await Stopped(pool, store, keep=True, rate=200).when(lambda progress: progress.done >= 30)
    shadow = Shadow(pool, TwinsProjection())
    there = await shadow.place()
    assert there is not None
    more = replace(there, stream="thing:x", events=there.events + 5)
    async with pool.acquire() as connection:
        with pytest.raises(LeaseLost):
            await shadow.note(connection, more, replace(more, events=head))
        with pytest.raises(LeaseLost):
            await shadow.complete(connection, more)
    assert await shadow.place() == there
    assert len(await shadow.missing()) == 2
    async with pool.acquire() as connection:
        with pytest.raises(LeaseLost):  # all streams, but not all indexes
            async with connection.transaction():
                await shadow.complete(connection, there)
    assert await shadow.place() == there


async def test_a_log_that_the_database_cannot_hold_in_memory_is_read_in_its_order(
    database_url: str, pool: Pool, fleet: Fleet
) -> None:
    head = await eventful(fleet)
    async with await create_pool(database_url, size=3, settings={"effective_cache_size": "16kB"}) as small:
        counting = OneReading(small)
        rebuilt = await Rebuild(small, counting, TwinsProjection(), options=BY_STREAM).run()
    assert (counting.by_stream, rebuilt.events) == (0, head)


class Late(SearchProjection):
    """Hears of indexes only in their place."""

    ahead = ("none",)


async def test_keys_made_anew_for_a_changed_index_count_against_the_limit(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=60, rounds=0)
    wanted = of_paths([("attributes", "n")]).to_json()
    await fleet.change(("namespace:farm.one", "modified", "/search-index", wanted))
    options = RebuildOptions(page_size=head, events_per_second=120)
    rebuilt = await Rebuild(pool, store, Late(slice_things=10), options=options).run()
    assert rebuilt.seconds >= (head + 1 + 50) / 120
