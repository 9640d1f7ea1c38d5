"""Alone, a process trusts its cache; as soon as another wants to append, it does not, whatever state it is in."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from eventstore.pool import Connection, create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.sole_writer import SoleWriter
from tests.contract.given import NOON, PUMP, TANK, append, commit, positions
from tests.integration.eventstore.process import Other, other_process
from tests.waiting import eventually

TERM = 1.5
"""Seconds for which a lease is trusted, if nothing else is said."""


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def passes(self, seconds: float) -> bool:
        self.now += seconds
        return True

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(lease: SoleWriter) -> AsyncIterator[SoleWriter]:
    task = asyncio.create_task(lease.run())
    try:
        yield lease
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def has_seen(lease: SoleWriter, position: int) -> bool:
    return lease.seen >= position


async def holds(process: Other) -> bool:
    return (await process.ask()).startswith("True")


async def test_a_process_alone_trusts_its_cache_also_while_it_appends(store: PostgresEventStore) -> None:
    clock = Clock()
    async with running(SoleWriter(store, quiet=0, beat=0.05, clock=clock)) as lease:
        await eventually(lease.holds)
        epoch = lease.epoch
        await append(store, commit(PUMP, 0))
        assert lease.holds()
        assert lease.epoch == epoch


async def test_a_process_that_has_not_been_alone_long_enough_does_not_trust(store: PostgresEventStore) -> None:
    clock = Clock()
    async with running(SoleWriter(store, quiet=5, beat=0.01, clock=clock)) as lease:
        await append(store, commit(PUMP, 0))
        clock.now += 4.9
        await append(store, commit(PUMP, 1))
        assert not lease.holds()
        clock.now += 0.2
        await eventually(lease.holds)


async def test_the_first_append_of_another_ends_the_trust_at_once(
    store: PostgresEventStore, other: PostgresEventStore
) -> None:
    """The term is longer than anybody waits, and by the holder's clock it never ends."""
    clock = Clock()
    async with running(SoleWriter(store, quiet=5, term=60, clock=clock)) as lease:
        clock.now += 5
        await eventually(lease.holds)
        assert positions(await append(other, commit(PUMP, 0))) == [1]
        assert not lease.holds()


async def test_a_lost_contest_is_found_by_the_next_look(store: PostgresEventStore, session: Connection) -> None:
    clock = Clock()
    async with running(SoleWriter(store, quiet=5, clock=clock)) as lease:
        clock.now += 5
        await eventually(lease.holds)
        await session.execute("update sole_writer set contested = true")
        await eventually(lambda: not lease.holds(), "the holder has looked")


async def test_after_a_contest_all_share_until_nobody_else_has_appended_for_a_while(
    store: PostgresEventStore, other: PostgresEventStore
) -> None:
    clock = Clock()
    async with running(SoleWriter(store, quiet=5, beat=0.01, clock=clock)) as lease:
        clock.now += 5
        await eventually(lease.holds)
        old = lease.epoch
        await append(other, commit(PUMP, 0))
        for revision in range(1, 5):
            clock.now += 2
            await append(other, commit(PUMP, revision))
            await append(store, commit(TANK, revision - 1))
            await eventually(partial(has_seen, lease, 2 * revision))
            assert not lease.holds()
        await eventually(lambda: clock.passes(0.05) and lease.holds())
        assert lease.epoch > old


async def test_trust_runs_out_when_the_database_does_not_answer(store: PostgresEventStore) -> None:
    clock = Clock()
    lease = SoleWriter(store, quiet=0, term=10, beat=60, clock=clock)
    async with running(lease):
        await eventually(lease.holds)
        clock.now += 7.9
        assert lease.holds()
        clock.now += 0.2
        assert not lease.holds()


async def test_a_doubt_that_was_dispelled_is_the_same_epoch(store: PostgresEventStore) -> None:
    clock = Clock()
    async with running(SoleWriter(store, quiet=0, beat=0.05, clock=clock)) as lease:
        await eventually(lease.holds)
        epoch = lease.epoch
        clock.now += 3600
        assert not lease.holds()
        await eventually(lease.holds)
        assert lease.epoch == epoch


async def test_a_process_that_stops_gives_the_lease_back(store: PostgresEventStore, other: PostgresEventStore) -> None:
    """The term is longer than anybody waits."""
    async with running(SoleWriter(store, quiet=0.1, term=60)) as lease:
        await eventually(lease.holds)
    assert not lease.holds()
    await append(other, commit(PUMP, 0))


async def test_two_processes_never_trust_at_once(store: PostgresEventStore, other: PostgresEventStore) -> None:
    leases = SoleWriter(store, quiet=0, beat=0.01), SoleWriter(other, quiet=0, beat=0.01)
    async with running(leases[0]) as one, running(leases[1]) as two:
        revision = 0
        for turn in range(20):
            await eventually(lambda: one.holds() or two.holds())
            assert not (one.holds() and two.holds())
            writer, loser = (other, one) if one.holds() else (store, two)
            epoch = loser.epoch
            (event,) = await append(writer, commit(PUMP, revision))
            assert not (loser.holds() and loser.epoch == epoch), turn
            revision = event.revision


async def test_a_killed_holder_delays_others_by_its_term(database_url: str, session: Connection) -> None:
    clock = Clock()
    async with other_process("alone", database_url) as holder:
        await eventually(lambda: holds(holder))
        holder.signal(signal.SIGKILL)
        await holder.process.wait()
    async with await create_pool(database_url, size=2) as pool, PostgresEventStore(pool, clock=clock) as store:
        begun = clock.now
        waiting = asyncio.create_task(append(store, commit(PUMP, 0)))
        await eventually(lambda: session.fetchval("select contested from sole_writer"), "the lease is contested")
        assert not waiting.done()
        await eventually(lambda: waiting.done() or not clock.passes(0.05), "the term is over by the clock")
        assert positions(await waiting) == [1]
        assert clock.now - begun >= TERM


async def test_a_paused_holder_does_not_trust_when_it_wakes(database_url: str, store: PostgresEventStore) -> None:
    """It may begin to trust anew, having seen the append, but its old trust is over."""
    async with other_process("alone", database_url) as holder:
        await eventually(lambda: holds(holder))
        told = f"True {(await holder.ask()).partition(' ')[2]}"
        holder.signal(signal.SIGSTOP)
        await append(store, commit(PUMP, 0))
        holder.signal(signal.SIGCONT)
        assert await holder.ask() not in {"", told}


@pytest.mark.parametrize("appends", [1, 5])
async def test_several_appends_may_wait_for_the_same_lease(
    store: PostgresEventStore, other: PostgresEventStore, appends: int
) -> None:
    async with running(SoleWriter(store, quiet=0.1)) as lease:
        await eventually(lease.holds)
        outcomes = await asyncio.gather(*(other.append([commit(PUMP, 0)], recorded_at=NOON) for _ in range(appends)))
        assert len(await other.read_stream(PUMP)) == 1
        assert len(outcomes) == appends
