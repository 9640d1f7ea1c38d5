"""The things of a namespace get their keys anew while the service lives, dies and is rebuilt."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from projections.rebuild import BehindCopyError, Rebuild, RebuildOptions
from projections.runner import ProjectionRunner
from projections.search.fields import Fields, of_paths
from projections.search.progress import IndexProgress, index_progress
from projections.search.projection import SearchProjection
from protocol.streams import SEARCH_INDEX
from tests.integration.projections.fleet import Change, Fleet, contents, reached, running
from tests.integration.search.searched import OPEN, OPEN_POLICY
from tests.waiting import eventually

NAMES = [f"farm:t{number:03}" for number in range(150)]
ROOM = of_paths([("attributes", "room"), ("thingId",)])


@pytest.fixture
async def store(pool: Pool) -> AsyncIterator[PostgresEventStore]:
    async with PostgresEventStore(pool) as store:
        yield store


@pytest.fixture
async def fleet(store: PostgresEventStore) -> Fleet:
    fleet = Fleet(store)
    await fleet.change((f"policy:{OPEN}", "created", "/", OPEN_POLICY), *(born(name) for name in NAMES))
    return fleet


def born(name: str) -> Change:
    features = {"lamp": {"properties": {"on": True, "watts": 3}}}
    document = {"thingId": name, "policyId": OPEN, "attributes": {"room": name, "n": 1}, "features": features}
    return f"thing:{name}", "created", "/", document


def wanted(fields: Fields) -> Change:
    gone = fields.everything
    return "namespace:farm", "deleted" if gone else "modified", SEARCH_INDEX, ... if gone else fields.to_json()


def small() -> SearchProjection:
    return SearchProjection(slice_things=5)


async def progress(pool: Pool) -> IndexProgress:
    (found,) = await index_progress(pool, ["farm"])
    return found


async def complete(pool: Pool, position: int) -> None:
    async def there() -> bool:
        found = await progress(pool)
        return found.position >= position and not found.unfinished

    await eventually(there)


async def begun(pool: Pool, position: int) -> None:
    """Wait until some things have their new keys; all may have them when one looks."""

    async def there() -> bool:
        found = await progress(pool)
        return found.position >= position and (found.done > 0 or not found.unfinished)

    await eventually(there)


HOLD = "SELECT 1 FROM search_keys WHERE thing_id = $1 FOR UPDATE"


@asynccontextmanager
async def held(database_url: str, name: str) -> AsyncIterator[None]:
    """Nobody can give this thing other keys during the block, so those behind it have to wait."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(HOLD, name)
            yield
    finally:
        await connection.close()


async def indexed(pool: Pool, store: PostgresEventStore) -> None:
    """Let a projector give all things all keys."""
    async with running(ProjectionRunner(pool, store, small).run()):
        await reached(pool, "search", len(NAMES) + 1)


async def stopped_in_the_middle(pool: Pool, store: PostgresEventStore, fleet: Fleet, database_url: str) -> int:
    """A projector ends when half of the things, at most, have their new keys; the position of what asked for them."""
    await indexed(pool, store)
    async with held(database_url, NAMES[len(NAMES) // 2]), running(ProjectionRunner(pool, store, small).run()):
        event = (await fleet.change(wanted(ROOM)))[-1]
        await begun(pool, event.position)
    return event.position


async def fresh(pool: Pool, store: PostgresEventStore) -> dict[str, list[str]]:
    """The tables after a replay that saw no slice of the live one."""
    await Rebuild(pool, store, SearchProjection()).run()
    return await contents(pool, SearchProjection())


async def test_keys_are_made_anew_while_things_change(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, database_url: str
) -> None:
    chance = random.Random(11)  # noqa: S311 - a fixed sequence is the point

    async def change(number: int) -> None:
        name = chance.choice(NAMES)
        changed = (f"thing:{name}", "modified", f"/attributes/{chance.choice(['room', 'n'])}", number)
        await fleet.change(changed, born(f"farm:x{number}"))

    await indexed(pool, store)
    async with running(ProjectionRunner(pool, store, small).run()):
        async with held(database_url, NAMES[-1]):
            event = (await fleet.change(wanted(ROOM)))[-1]
            await begun(pool, event.position)
            for number in range(5):
                await change(number)
        for number in itertools.count(5):
            if not (await progress(pool)).unfinished:
                break
            await change(number)
        event = (await fleet.change((f"thing:{NAMES[3]}", "deleted", "/", ...)))[-1]
        await reached(pool, "search", event.position)
    live = await contents(pool, SearchProjection())
    assert all("room" in row for row in live["search_keys"])
    assert live == await fresh(pool, store)


async def test_another_owner_goes_on_where_the_last_one_was_stopped(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, database_url: str
) -> None:
    position = await stopped_in_the_middle(pool, store, fleet, database_url)
    stopped = await progress(pool)
    assert stopped.unfinished
    assert 0 < stopped.done < stopped.total == len(NAMES)
    seen = [stopped.done]
    async with running(ProjectionRunner(pool, store, small).run(), ProjectionRunner(pool, store, small).run()):
        while (found := await progress(pool)).unfinished:
            seen.append(found.done)
            await asyncio.sleep(0)
        await complete(pool, position)
    assert seen == sorted(seen)
    assert await contents(pool, SearchProjection()) == await fresh(pool, store)


async def test_a_rebuild_of_many_changed_indexes_equals_the_live_rows(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    lamps = of_paths([("features", "*", "properties", "on"), ("attributes", "n")])
    everything = of_paths([()])
    async with running(ProjectionRunner(pool, store, small).run()):
        event = (await fleet.change(wanted(lamps)))[-1]
        for number, fields in enumerate([ROOM, lamps, everything, lamps, ROOM, lamps]):
            name = NAMES[number]
            changes: list[Change] = [(f"thing:{name}", "modified", "/attributes/n", number), wanted(fields)]
            event = (await fleet.change(*changes))[-1]
            if number % 2:
                await begun(pool, event.position)
        await complete(pool, event.position)
        report = await Rebuild(pool, store, small(), options=RebuildOptions(compare=True)).run()
        assert report.differences == ()
        event = (await fleet.change(wanted(everything)))[-1]
        await complete(pool, event.position)
    live = await contents(pool, SearchProjection())
    assert live["search_indexes"] == []
    assert live == await fresh(pool, store)


async def test_rows_that_still_wait_for_their_keys_are_not_compared(
    pool: Pool, store: PostgresEventStore, fleet: Fleet, database_url: str
) -> None:
    await stopped_in_the_middle(pool, store, fleet, database_url)
    with pytest.raises(BehindCopyError):
        await Rebuild(pool, store, SearchProjection(), options=RebuildOptions(compare=True)).run()
    rebuilt = await Rebuild(pool, store, SearchProjection()).run()
    assert rebuilt.position == len(NAMES) + 2
    assert not (await progress(pool)).unfinished


async def test_a_rebuild_writes_no_keys_that_an_index_to_come_leaves_out(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await fleet.change(wanted(of_paths([("features",)])))
    await fleet.change(wanted(ROOM))
    await Rebuild(pool, store, SearchProjection()).run()
    assert await pool.fetchval("SELECT count(*) FROM search_keys") == len(NAMES)
    pages = await pool.fetchval("SELECT pg_relation_size('search_keys') / current_setting('block_size')::bigint")
    assert pages <= 3
