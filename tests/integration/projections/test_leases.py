from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta

import pytest

from eventstore.pool import Pool
from eventstore.postgres import PostgresEventStore
from projections.consumers import CheckpointedReader, Turn
from projections.leases import TERMS, LeaseLost, Terms, fenced, release, take, work_under
from projections.progress import standings
from tests.integration.projections.fleet import Fleet, created, fill
from tests.waiting import eventually


async def expiry(pool: Pool) -> datetime:
    """When the only consumer's lease runs out, by the database's clock."""
    found: datetime = await pool.fetchval("SELECT expires_at FROM consumers")
    return found


async def test_a_dead_owner_is_replaced_when_its_lease_has_run_out_and_fenced_off(pool: Pool) -> None:
    assert TERMS.lasts + TERMS.retry < 3.0
    dead = await take(pool, "publisher", version=1, owner="dead")
    over_at = await expiry(pool)
    heir = await take(pool, "publisher", version=1, owner="heir")
    assert await expiry(pool) - timedelta(seconds=TERMS.lasts) > over_at
    assert heir.token > dead.token
    with pytest.raises(LeaseLost):
        async with fenced(pool, dead, 10):
            pass
    async with fenced(pool, heir, 5):
        pass
    assert [standing.position for standing in await standings(pool)] == [5]


async def test_an_owner_that_remembers_more_than_the_database_starts_over_from_what_is_left(pool: Pool) -> None:
    lease = await take(pool, "counters", version=1, owner="first")
    for position in (10, 20):
        async with fenced(pool, lease, position):
            pass
    await pool.execute("UPDATE consumers SET position = 10")  # as a crash does to what had not reached the disk
    with pytest.raises(LeaseLost):
        async with fenced(pool, lease, 30):
            raise AssertionError("the rows of 11 to 20 would be missing")
    again = await take(pool, "counters", version=1, owner="first")
    assert again.position == 10
    async with fenced(pool, again, 30):
        pass


async def test_a_transaction_that_was_rolled_back_moves_nothing(pool: Pool) -> None:
    lease = await take(pool, "counters", version=1, owner="first")
    with pytest.raises(ZeroDivisionError):
        async with fenced(pool, lease, 10):
            raise ZeroDivisionError
    async with fenced(pool, lease, 10):
        pass
    assert [standing.position for standing in await standings(pool)] == [10]


async def test_a_clean_release_lets_the_next_owner_in_although_the_lease_would_last(pool: Pool) -> None:
    terms = Terms(lasts=3_600)
    lease = await take(pool, "publisher", version=1, owner="first", terms=terms)
    waiting = asyncio.create_task(take(pool, "publisher", version=1, owner="second", terms=terms))
    await asyncio.sleep(0)
    assert not waiting.done()
    await release(pool, lease)
    assert (await waiting).owner == "second"


async def test_a_lease_is_prolonged_as_long_as_the_work_lasts(pool: Pool) -> None:
    terms = Terms(lasts=30, renew=0.1, retry=0.05)
    lease = await take(pool, "publisher", version=1, owner="first", terms=terms)
    over = asyncio.Event()
    working = asyncio.create_task(work_under(pool, lease, lambda _: over.wait()))
    waiting = asyncio.create_task(take(pool, "publisher", version=1, owner="second", terms=terms))
    until = [await expiry(pool)]

    async def prolonged_again_and_again() -> bool:
        if (found := await expiry(pool)) != until[-1]:
            until.append(found)
        return len(until) > 5

    await eventually(prolonged_again_and_again)
    assert until == sorted(until)
    assert not waiting.done()
    over.set()
    assert await working
    assert (await waiting).token == lease.token + 1


async def test_work_is_cancelled_when_another_owner_was_put_in(pool: Pool) -> None:
    lease = await take(pool, "publisher", version=1, owner="first")
    cancelled = asyncio.Event()

    async def work(_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await pool.execute("UPDATE consumers SET token = token + 1, owner = 'usurper'")
    with pytest.raises(LeaseLost):
        await work_under(pool, lease, work)
    assert cancelled.is_set()
    assert await pool.fetchval("SELECT owner FROM consumers") == "usurper"


async def test_a_reader_goes_on_after_its_checkpoint(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    head = await fill(fleet, things=4, rounds=4)
    seen: list[list[int]] = [[], []]

    def read_until(last: int, turn_number: int) -> Callable[[Turn], Coroutine[None, None, None]]:
        async def work(turn: Turn) -> None:
            async for batch in turn.batches():
                seen[turn_number] += [event.position for event in batch]
                if batch[-1].position >= last:
                    await turn.advance(last)
                    return

        return work

    await CheckpointedReader(pool, store, name="publisher", page_size=3).run(read_until(7, 0))
    await CheckpointedReader(pool, store, name="publisher", page_size=3).run(read_until(head, 1))
    assert seen == [list(range(1, 10)), list(range(8, head + 1))]


async def test_two_readers_take_turns_and_never_work_at_once(
    pool: Pool, store: PostgresEventStore, fleet: Fleet
) -> None:
    await fleet.change(created("farm.one:a"))
    at_work: list[str] = []
    order: list[str] = []
    leave = {name: asyncio.Event() for name in ("first", "second")}

    async def take_part(name: str) -> None:
        async def work(turn: Turn) -> None:
            at_work.append(name)
            order.append(name)
            assert at_work == [name]
            await leave[name].wait()
            at_work.remove(name)

        await CheckpointedReader(pool, store, name="publisher").run(work)

    tasks = [asyncio.create_task(take_part(name)) for name in leave]

    async def turns(number: int) -> None:
        async def taken() -> bool:
            return len(order) == number

        await eventually(taken)

    for number in (1, 2):
        await turns(number)
        leave[order[-1]].set()
    await asyncio.gather(*tasks)
    assert sorted(order) == ["first", "second"]


async def test_standings_tell_position_owner_and_lag(pool: Pool, store: PostgresEventStore, fleet: Fleet) -> None:
    head = await fill(fleet, things=2, rounds=4)
    lease = await take(pool, "publisher", version=3, owner="me")
    async with fenced(pool, lease, head - 1):
        pass
    [standing] = await standings(pool)
    assert (standing.name, standing.version, standing.owner) == ("publisher", 3, "me")
    assert (standing.position, standing.behind_events) == (head - 1, 1)
    assert standing.behind_seconds > 0
    async with fenced(pool, lease, head):
        pass
    await release(pool, lease)
    [standing] = await standings(pool)
    assert (standing.owner, standing.behind_events, standing.behind_seconds) == (None, 0, 0.0)
