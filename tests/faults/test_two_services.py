"""Two processes on one database, under load on the same entities: no lost update, no double revision, exact reads."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.clients import Client, client
from tests.faults.conftest import Tell
from tests.faults.load import NAMESPACE, Load, loading
from tests.faults.promises import check_promises
from tests.faults.service import Service, service
from tests.faults.world import World, watched

SHARED = f"{NAMESPACE}:shared"
COUNTERS = 3


async def test_two_services_lose_no_update_even_if_one_is_killed(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await two_services(home, database_url, amqp_url, chance, tell, kills=1, increments=40)


@pytest.mark.soak
async def test_two_services_lose_no_update_however_often_one_is_killed(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    await two_services(home, database_url, amqp_url, chance, tell, kills=rounds, increments=40 * rounds)


async def two_services(
    folder: Path,
    database_url: str,
    amqp_url: str,
    chance: random.Random,
    tell: Tell,
    *,
    kills: int,
    increments: int,
) -> None:
    async with (
        service(folder, database_url, amqp_url, name="one") as one,
        service(folder, database_url, amqp_url, name="two") as two,
        watched(database_url, amqp_url) as world,
        client("setup") as setup,
    ):
        counters = {f"n{number}": 0 for number in range(COUNTERS)}
        features = {"f": {"properties": {"made": 0}}}
        created = await setup.put([one, two], SHARED, {"attributes": {**counters}, "features": features})
        assert created.status == 201
        load = Load(amqp_url, chance, landed=lambda: world.head, window=400, things=("shared",))
        async with loading(load):
            # Each direction has a shared counter in common with the other; and nobody may see anything but the latest.
            work = [
                asyncio.ensure_future(counted(f"counting-{number}", ways, f"n{number % COUNTERS}", increments))
                for number, ways in enumerate([[one, two], [two, one]] * COUNTERS)
            ] + [
                asyncio.ensure_future(read_back("reading-1", [one, two], [two, one], increments)),
                asyncio.ensure_future(read_back("reading-2", [two, one], [one, two], increments)),
            ]
            try:
                for number in range(kills):
                    await kill_one(chance.choice([one, two]), world, chance)
                    tell(f"kill {number + 1}/{kills}: {world.head} events stored")
                repeats = sum(await asyncio.gather(*work))
            finally:
                for task in work:
                    task.cancel()
        attributes = await setup.get([one, two], f"{SHARED}/attributes")
        assert isinstance(attributes.value, dict)
        assert {name: attributes.value[name] for name in counters} == dict.fromkeys(counters, 2 * increments)
        await check_promises(world, load.confirmed, one, two)
        tell(f"{2 * COUNTERS * increments} increments, {len(load.confirmed)} messages, {repeats} requests repeated")


async def kill_one(victim: Service, world: World, chance: random.Random) -> None:
    """SIGKILL under load and a new start, while the other goes on alone."""
    await world.grown(chance.randint(50, 300))
    await victim.kill()
    await world.grown(50)
    await victim.start()


async def counted(name: str, services: Sequence[Service], counter: str, increments: int) -> int:
    """Add to a counter that others add to as well, under If-Match; answers how many requests were repeated."""
    async with client(name) as app:
        for _ in range(increments):
            await incremented(app, services, f"{SHARED}/attributes/{counter}")
        return app.repeats


async def incremented(app: Client, services: Sequence[Service], path: str) -> None:
    while True:
        found = await app.get(services, path)
        assert found.status == 200, found
        assert isinstance(found.value, int)
        assert found.etag is not None
        answer = await app.put(services, path, found.value + 1, **{"If-Match": found.etag})
        if answer.status == 204:
            return
        assert answer.status == 412, answer


async def read_back(name: str, writers: Sequence[Service], readers: Sequence[Service], times: int) -> int:
    """What one process has acknowledged, the other one shows at once."""
    async with client(name) as app:
        path = f"{SHARED}/attributes/{name}"
        for number in range(times):
            written = await app.put(writers, path, number)
            assert written.status in {201, 204}, written
            found = await app.get(readers, path)
            assert found.value == number, f"{name}: {found} instead of {number}"
        return app.repeats
