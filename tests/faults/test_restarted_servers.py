"""RabbitMQ and PostgreSQL restarted and killed under load: the service comes back by itself, and nothing is lost."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from eventstore.migrations import migrate
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.rabbitmq import EmbeddedRabbitMQ
from tests.faults.conftest import Tell
from tests.faults.load import Load, loading
from tests.faults.promises import check_no_defects, check_promises
from tests.faults.service import STOP_SECONDS, Service, service
from tests.faults.world import RECOVERY_SECONDS, watched
from tests.keeper import TEST_SETTINGS, programs_home

Fault = Callable[[], Awaitable[None]]


@pytest.fixture
async def broker(home: Path) -> AsyncIterator[EmbeddedRabbitMQ]:
    """A RabbitMQ of the test's own, to be mistreated."""
    async with EmbeddedRabbitMQ(home, programs=programs_home()) as server:
        yield server


@pytest.fixture
async def database(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A migrated PostgreSQL of the test's own, to be mistreated."""
    async with EmbeddedPostgres(home, settings=TEST_SETTINGS) as server:
        await migrate(server.url)
        yield server


async def test_a_broker_that_goes_away_under_load_loses_nothing(
    home: Path, broker: EmbeddedRabbitMQ, database_url: str, chance: random.Random, tell: Tell
) -> None:
    await mistreat(home, database_url, broker.url, faults_of(broker), chance, tell, rounds=2)


async def test_a_database_that_goes_away_under_load_loses_nothing(
    home: Path, database: EmbeddedPostgres, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await mistreat(home, database.url, amqp_url, faults_of(database), chance, tell, rounds=4)


@pytest.mark.soak
async def test_a_broker_that_goes_away_many_times_loses_nothing(
    home: Path, broker: EmbeddedRabbitMQ, database_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    await mistreat(home, database_url, broker.url, faults_of(broker), chance, tell, rounds=rounds)


@pytest.mark.soak
async def test_a_database_that_goes_away_many_times_loses_nothing(
    home: Path, database: EmbeddedPostgres, amqp_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    await mistreat(home, database.url, amqp_url, faults_of(database), chance, tell, rounds=rounds)


async def test_a_service_stops_in_time_while_the_broker_is_away(
    home: Path, broker: EmbeddedRabbitMQ, database_url: str, chance: random.Random, tell: Tell
) -> None:
    async with service(home, database_url, broker.url) as running, watched(database_url, broker.url) as world:
        await asyncio.to_thread(broker.settle)
        load = Load(broker.url, chance, landed=lambda: world.head)
        async with loading(load):
            await world.grown(300)
            await broker.kill()
            tell(f"stopped without a broker in {await stopped(running):.1f} s")
            await broker.start()
            await running.start()
        await check_promises(world, load.confirmed, running, answered=False)


async def test_a_service_stops_in_time_while_the_database_is_away(
    home: Path, database: EmbeddedPostgres, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    async with service(home, database.url, amqp_url) as running, watched(database.url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        async with loading(load):
            await world.grown(300)
            await database.kill()
            tell(f"stopped without a database in {await stopped(running):.1f} s")
            await database.start()
            await running.start()
        await check_promises(world, load.confirmed, running)


async def mistreat(
    home: Path, database_url: str, amqp_url: str, faults: list[Fault], chance: random.Random, tell: Tell, *, rounds: int
) -> None:
    """Let the faults come in turn, each at a random moment under load; then everything must be as if none had been."""
    async with service(home, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        async with loading(load):
            for number in range(rounds):
                await world.grown(chance.randint(1, 1_000))
                fault = faults[number % len(faults)]
                await fault()
                seconds = await world.grown(1, within=RECOVERY_SECONDS)
                tell(f"{number + 1}/{rounds} {fault.__name__}: events again after {seconds:.1f} s, {world.head} stored")
            await world.grown(200)
        log = await check_promises(world, load.confirmed, running, answered=False)
        assert running.starts == 1
        tell(f"{len(load.confirmed)} messages over {load.reconnects + 1} connections, {len(log)} events")


def faults_of(server: EmbeddedRabbitMQ | EmbeddedPostgres) -> list[Fault]:
    async def shut_down_and_started() -> None:
        await server.restart()

    async def killed_and_started() -> None:
        await server.kill()
        await server.start()

    return [shut_down_and_started, killed_and_started]


async def stopped(running: Service) -> float:
    """Seconds that a service took for its clean end."""
    clock = asyncio.get_running_loop().time
    began = clock()
    running.signal(signal.SIGTERM)
    assert await running.ended(within=STOP_SECONDS + 2) == 0, running.tail()
    check_no_defects(running)
    return clock() - began
