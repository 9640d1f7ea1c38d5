from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import asyncpg

from eventstore.events import RecordedEvent
from eventstore.pool import Pool, create_pool
from eventstore.postgres import PostgresEventStore
from projections.freshness import Freshness
from projections.leases import Terms
from projections.projection import Projection
from projections.revisions import RevisionsProjection
from projections.runner import Applied, ProjectionRunner
from projections.statements import Connection
from projections.twins import TwinsProjection
from tests.integration.projections import sql
from tests.integration.projections.fleet import Fleet, contents, created, deleted, fill, modified, reached, running
from tests.waiting import DEADLINE


async def replayed(pool: Pool, store: PostgresEventStore, projection: Projection) -> dict[str, list[str]]:
    """What the tables ought to hold: the whole log in one batch, in a transaction that is rolled back."""
    events = [event async for page in store.read() for event in page]
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        for table in projection.tables:
            await connection.execute(f"TRUNCATE {table}")
        await projection.apply(connection, events)
        rows = {table: [row[0] for row in await connection.fetch(sql.rows_of(table))] for table in projection.tables}
        await transaction.rollback()
    return rows


async def test_follows_the_log_from_the_beginning_and_live(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await fill(fleet, things=5, rounds=3)
    async with running(ProjectionRunner(pool, store, TwinsProjection).run()):
        await reached(pool, "twins", 20)
        await fleet.change(deleted("farm.one:t1"), created("farm.two:x", a=1))
        await reached(pool, "twins", 22)
    row = await pool.fetchrow("SELECT * FROM twins WHERE stream = 'thing:farm.one:t2'")
    assert row is not None
    assert (row["namespace"], row["revision"], row["position"], row["deleted"]) == ("farm.one", 4, 18, False)
    assert b'"n":3' in row["state"]
    assert await pool.fetchval("SELECT deleted FROM twins WHERE stream = 'thing:farm.one:t1'")


async def test_counts_every_event_once_while_its_backends_are_killed(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, database_url: str
) -> None:
    await fill(fleet, things=40, rounds=0)
    rng = random.Random(7)  # noqa: S311  (no secret)

    async def change() -> None:
        for _ in range(120):
            names = rng.sample(range(40), 10)
            await fleet.change(*(modified(f"farm.one:t{n}", "n", rng.random()) for n in names))
            await asyncio.sleep(0)

    killed = 0
    makes = (TwinsProjection, RevisionsProjection)
    # A connection that is about to break may be handed on; whoever changes things here does not try again.
    async with (
        await create_pool(database_url, size=4, application_name="doomed") as doomed,
        running(*(ProjectionRunner(doomed, store, make, pace=0).run() for make in makes)),
    ):
        changing = asyncio.create_task(change())
        killer = await asyncpg.connect(database_url)
        while not changing.done() or killed < 5:
            killed += await killer.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'doomed' AND xact_start IS NOT NULL"
            )
            if changing.done():
                await fleet.change(modified("farm.one:t1", "n", killed))
        await killer.close()
        await changing
        head = await store.head()
        await reached(pool, "twins", head)
        await reached(pool, "revisions", head)
    for projection in (TwinsProjection(), RevisionsProjection()):
        assert await contents(pool, projection) == await replayed(pool, store, projection)
    counted = await pool.fetchval("SELECT sum(events) FROM namespace_revisions")
    assert counted == head


class Slow:
    """Revisions that stop in the middle of a transaction, until let go."""

    name = RevisionsProjection.name
    version = RevisionsProjection.version
    tables = RevisionsProjection.tables
    streams = RevisionsProjection.streams

    def __init__(self) -> None:
        self.inside = asyncio.Event()
        self.go_on = asyncio.Event()
        self._real = RevisionsProjection()

    async def apply(self, connection: Connection, events: Sequence[RecordedEvent]) -> None:
        await self._real.apply(connection, events)
        self.inside.set()
        await self.go_on.wait()

    def forget(self) -> None:
        self._real.forget()


async def test_a_batch_cancelled_before_its_commit_leaves_nothing_behind(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=3, rounds=1)
    slow = Slow()
    async with running(ProjectionRunner(pool, store, lambda: slow).run()):
        await slow.inside.wait()
    assert await pool.fetchval("SELECT count(*) FROM entity_revisions") == 0
    async with running(ProjectionRunner(pool, store, RevisionsProjection).run()):
        await reached(pool, "revisions", head)
    assert await pool.fetchval("SELECT sum(events) FROM entity_revisions") == head


async def test_a_batch_that_outlasts_the_lease_still_counts_and_nobody_else_starts(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    head = await fill(fleet, things=3, rounds=1)
    terms = Terms(lasts=0.3, renew=0.05, retry=0.05)
    slow = Slow()
    second: list[Applied] = []
    other = ProjectionRunner(pool, store, RevisionsProjection, terms=terms, on_applied=second.append)
    async with running(ProjectionRunner(pool, store, lambda: slow, terms=terms).run()):
        await slow.inside.wait()
        async with running(other.run()):
            loop = asyncio.get_running_loop()
            loop.call_later(1.0, slow.go_on.set)
            await reached(pool, "revisions", head)
    assert second == []
    assert await pool.fetchval("SELECT sum(events) FROM entity_revisions") == head


async def test_a_busy_entity_costs_one_row_per_batch(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    await fleet.change(created("farm.one:a"), created("farm.one:b"))
    await fleet.change(*(modified("farm.one:a", "n", n) for n in range(10)), modified("farm.one:b", "n", 1))
    events = [event async for page in store.read() for event in page]
    for projection, writes in ((TwinsProjection(), {"twins": 2}), (RevisionsProjection(), {"entity_revisions": 2})):
        async with pool.acquire() as connection, connection.transaction():
            await projection.apply(connection, events[:2])
        async with pool.acquire() as connection, connection.transaction():
            before = {table: await connection.fetchval(sql.WRITES, table) for table in writes}
            await projection.apply(connection, events[2:])
            after = {table: await connection.fetchval(sql.WRITES, table) for table in writes}
        assert {table: after[table] - before[table] for table in writes} == writes


async def test_reading_ones_own_writes_waits_for_the_position(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    async with Freshness(pool, "twins") as here, Freshness(pool, "twins") as elsewhere:
        head = await fill(fleet, things=3, rounds=1)
        assert not await elsewhere.wait_for(head, timeout=0.1)
        async with running(ProjectionRunner(pool, store, TwinsProjection, freshness=here).run()):
            for freshness in (here, elsewhere):
                assert await freshness.wait_for(head, timeout=DEADLINE)
                assert not await freshness.wait_for(head + 1, timeout=0.05)
