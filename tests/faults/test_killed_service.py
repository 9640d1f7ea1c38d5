"""SIGKILL at random moments: confirmed messages are exactly one event each, whatever was under way."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.load import Load, loading
from tests.faults.promises import check_promises
from tests.faults.service import Service, service
from tests.faults.world import RECOVERY_SECONDS, World, watched


async def test_a_killed_service_loses_nothing_and_repeats_no_effect(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await kill_again_and_again(home, database_url, amqp_url, chance, tell, rounds=4)


@pytest.mark.soak
async def test_a_service_killed_many_times_loses_nothing_and_repeats_no_effect(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    await kill_again_and_again(home, database_url, amqp_url, chance, tell, rounds=rounds)


async def kill_again_and_again(
    folder: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, *, rounds: int
) -> None:
    async with service(folder, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        async with loading(load):
            for number in range(1, rounds + 1):
                seconds = await kill_once(running, world, chance)
                tell(f"kill {number}/{rounds}: events again after {seconds:.1f} s, {world.head} in the log")
        log = await check_promises(world, load.confirmed, running)
        tell(f"{len(load.confirmed)} messages confirmed, {len(log)} events")


async def kill_once(running: Service, world: World, chance: random.Random) -> float:
    """Kill it in the middle of its work, sometimes again while it starts; seconds until events are stored again."""
    await world.grown(chance.randint(1, 1_500))
    await running.kill()
    clock = asyncio.get_running_loop().time
    began = clock()
    if chance.random() < 0.3:
        await running.launch()
        await lives(running, chance.uniform(0.0, 2.0))
        await running.kill()
    await running.launch()
    await world.grown(1, within=RECOVERY_SECONDS)
    return clock() - began


async def lives(running: Service, seconds: float) -> None:
    """Let it live so long; it must not end by itself."""
    try:
        await running.ended(within=seconds)
    except AssertionError:
        return
    raise AssertionError(f"the service ended by itself:\n{running.tail()}")
