"""Two processes on one database, under load on the same entities: no lost update, no double revision, exact reads."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.clients import Client, client
from tests.faults.conftest import Tell
from tests.faults.load import NAMESPACE, Load, loading
from tests.faults.promises import check_promises
from tests.faults.service import Service, service
from tests.faults.world import World, watched

SHARED = f"{NAMESPACE}:shared"
THINGS = ("shared", *(f"other-{number}" for number in range(9)))
COUNTERS = 3


async def test_two_services_lose_no_update_even_if_one_is_killed_or_stands_still(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await two_services(home, database_url, amqp_url, chance, tell, faults=2, at_least=15)


@pytest.mark.soak
async def test_two_services_lose_no_update_however_often_one_is_killed_or_stands_still(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    await two_services(home, database_url, amqp_url, chance, tell, faults=rounds, at_least=2 * rounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an app has seen done: on which attribute, how often, and how many requests it had to repeat."""

    name: str
    times: int
    repeats: int


@dataclass(slots=True, kw_only=True)
class Shift:
    """Work goes on as long as there are faults, and ``at_least`` so often.

    No longer: a thing that both services write hundreds of times a second answers within a second or two, so a number
    that is to be reached keeps the load running, and the log growing, for an hour after the last fault.
    """

    at_least: int
    over: bool = False

    def turns(self) -> Iterator[int]:
        for number in itertools.count():
            if self.over and number >= self.at_least:
                return
            yield number


async def two_services(
    folder: Path,
    database_url: str,
    amqp_url: str,
    chance: random.Random,
    tell: Tell,
    *,
    faults: int,
    at_least: int,
) -> None:
    async with (
        service(folder, database_url, amqp_url, name="one") as one,
        service(folder, database_url, amqp_url, name="two") as two,
        watched(database_url, amqp_url) as world,
        client("setup") as setup,
    ):
        counters = {f"n{number}": 0 for number in range(COUNTERS)}
        shift = Shift(at_least=at_least)
        features = {"f": {"properties": {"made": 0}}}
        for name in THINGS:
            thing = {"attributes": {**counters}, "features": features}
            assert (await setup.put([one, two], f"{NAMESPACE}:{name}", thing)).status == 201
        load = Load(amqp_url, chance, landed=lambda: world.head, window=100, things=THINGS)
        async with loading(load):
            # Each direction has a shared counter in common with the other; and nobody may see anything but the latest.
            work = [
                asyncio.ensure_future(counted(f"counting-{number}", ways, f"n{number % COUNTERS}", shift))
                for number, ways in enumerate([[one, two], [two, one]] * COUNTERS)
            ] + [
                asyncio.ensure_future(read_back("reading-1", [one, two], [two, one], shift)),
                asyncio.ensure_future(read_back("reading-2", [two, one], [one, two], shift)),
            ]
            try:
                for number in range(faults):
                    fault = [killed, paused][number % 2]
                    await world.grown(chance.randint(50, 300))
                    await fault(chance.choice([one, two]), world, chance)
                    tell(f"{number + 1}/{faults} {fault.__name__}: {world.head} events stored")
                shift.over = True
                done = await asyncio.gather(*work)
            finally:
                for task in work:
                    task.cancel()
        attributes = await setup.get([one, two], f"{SHARED}/attributes")
        assert isinstance(attributes.value, dict)
        for each in done:
            if each.name in counters:
                counters[each.name] += each.times
        assert {name: attributes.value[name] for name in counters} == counters
        tell(f"{sum(counters.values())} increments, {len(load.confirmed)} messages, all is checked now")
        log = await check_promises(world, load.confirmed, one, two)
        tell(f"{len(log)} events as promised, {sum(each.repeats for each in done)} requests repeated")


async def killed(victim: Service, world: World, chance: random.Random) -> None:
    """SIGKILL under load and a new start, while the other goes on alone."""
    await victim.kill()
    await world.grown(chance.randint(1, 100))
    await victim.start()


async def paused(victim: Service, world: World, chance: random.Random) -> None:
    """SIGSTOP until all its leases have run out and the other has written, then it goes on as if nothing had been."""
    victim.signal(signal.SIGSTOP)
    with contextlib.suppress(AssertionError):
        await victim.ended(within=chance.uniform(2.0, 5.0))
    assert victim.running
    await world.grown(chance.randint(1, 100))
    victim.signal(signal.SIGCONT)


async def counted(name: str, services: Sequence[Service], counter: str, shift: Shift) -> Done:
    """Add to a counter that others add to as well, under If-Match."""
    async with client(name) as app:
        times = 0
        for _ in shift.turns():
            await incremented(app, services, f"{SHARED}/attributes/{counter}")
            times += 1
        return Done(name=counter, times=times, repeats=app.repeats)


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


async def read_back(name: str, writers: Sequence[Service], readers: Sequence[Service], shift: Shift) -> Done:
    """What one process has acknowledged, the other one shows at once."""
    async with client(name) as app:
        path = f"{SHARED}/attributes/{name}"
        times = 0
        for number in shift.turns():
            written = await app.put(writers, path, number)
            assert written.status in {201, 204}, written
            found = await app.get(readers, path)
            assert found.value == number, f"{name}: {found} instead of {number}"
            times += 1
        return Done(name=name, times=times, repeats=app.repeats)
