"""Sessions of others that hold locks or leave transactions open: the service waits or goes on, and skips nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.faults.conftest import Tell
from tests.faults.load import Load, loading
from tests.faults.promises import check_promises
from tests.faults.service import service
from tests.faults.world import watched
from tests.waiting import DEADLINE

APPEND_LOCK = "SELECT pg_advisory_xact_lock(21591, 1)"
STOPS_APPENDS = {
    "the lock of all appends": APPEND_LOCK,
    "the whole log": "LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
}
STOPS_FOLLOWERS = {
    "the checkpoints": "LOCK TABLE consumers IN ACCESS EXCLUSIVE MODE",
    "the twins": "LOCK TABLE twins IN SHARE MODE",
    "nothing but a snapshot and a transaction id": "SELECT pg_current_xact_id(), count(*) FROM events",
}


async def test_locks_and_open_transactions_of_others_lose_nothing_and_leave_no_gap(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await hold_up(home, database_url, amqp_url, chance, tell, seconds=3.5)


@pytest.mark.soak
async def test_locks_that_outlast_every_timeout_lose_nothing_and_leave_no_gap(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await hold_up(home, database_url, amqp_url, chance, tell, seconds=25.0)


async def hold_up(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, *, seconds: float
) -> None:
    async with service(home, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        async with loading(load):
            for name, statement in STOPS_FOLLOWERS.items():
                await world.grown(chance.randint(50, 400))
                async with held(database_url, statement):
                    await world.grown(300)
                tell(f"held {name} while 300 events were stored")
            for name, statement in STOPS_APPENDS.items():
                await world.grown(chance.randint(50, 400))
                async with held(database_url, statement):
                    with pytest.raises(AssertionError, match="did not happen"):
                        await world.grown(2_000, within=seconds)
                tell(f"held {name} for {seconds} s; events again after {await world.grown(1):.1f} s")
        log = await check_promises(world, load.confirmed, running)
        assert running.starts == 1
        tell(f"{len(load.confirmed)} messages, {len(log)} events")


@asynccontextmanager
async def held(database_url: str, statement: str) -> AsyncIterator[None]:
    """Run a statement in a transaction that stays open during the block, and is given up after it."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        async with asyncio.timeout(DEADLINE):
            await connection.execute(statement)
        yield
    finally:
        await transaction.rollback()
        await connection.close()
