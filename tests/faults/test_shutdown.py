"""SIGTERM under load: what was taken is answered and acknowledged, and what was not stays where it is."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.load import ANSWERS, Load, loading
from tests.faults.promises import check_answers, check_log, check_no_defects, check_promises
from tests.faults.service import STOP_SECONDS, Service, service
from tests.faults.test_blocked_database import APPEND_LOCK, held
from tests.faults.world import World, watched
from tests.waiting import eventually

TERM, INT = signal.SIGTERM, signal.SIGINT


async def test_a_clean_shutdown_under_load_settles_exactly_what_was_taken(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    await shut_down(home, database_url, amqp_url, chance, tell, [[TERM], [INT], [TERM, INT, TERM]])


@pytest.mark.soak
async def test_many_clean_shutdowns_under_load_settle_exactly_what_was_taken(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, rounds: int
) -> None:
    signals = [[chance.choice([TERM, INT]) for _ in range(chance.randint(1, 3))] for _ in range(rounds)]
    await shut_down(home, database_url, amqp_url, chance, tell, signals)


async def shut_down(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell, signals: list[list[signal.Signals]]
) -> None:
    async with service(home, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        answers = []
        for numbers in signals:
            async with loading(load):
                await world.grown(chance.randint(100, 1_500))
                seconds = await ended_by(running, numbers)
            answers += await world.take_all(ANSWERS)
            left = await settled_exactly(world, load, {str(each.correlation_id) for each in answers})
            tell(f"{'+'.join(each.name for each in numbers)}: {seconds:.1f} s, {left} messages left in the queue")
            check_no_defects(running)
            await running.start()
        check_answers(
            answers, {str(event.command_id) for event in await world.log()} & {str(a.correlation_id) for a in answers}
        )
        await check_promises(world, load.confirmed, running, answered=False)


async def ended_by(running: Service, signals: list[signal.Signals]) -> float:
    """Seconds from the first signal to the end, which must be clean, whatever further signals say."""
    clock = asyncio.get_running_loop().time
    began = clock()
    for number in signals:
        running.signal(number)
    assert await running.ended(within=STOP_SECONDS) == 0, running.tail()
    return clock() - began


async def settled_exactly(world: World, load: Load, answered: set[str]) -> int:
    """Every message is either an event, answered and gone from the queue, or still in the queue and nothing else."""
    stored: set[str] = set()
    left: set[str] = set()

    async def nothing_is_under_way() -> bool:
        """The broker gives back what was not acknowledged a moment after the service has gone."""
        nonlocal stored, left
        stored = {event.command_id for event in await world.log() if event.command_id is not None}
        left = {str(each.message_id) for each in await world.look(world.topology.commands)}
        return stored | left == set(load.confirmed)

    await eventually(nothing_is_under_way, "nothing was acknowledged without being stored", every=0.1)
    check_log(await world.log())
    assert not stored & left, "stored but not acknowledged"
    assert stored <= answered, "stored but not answered"
    return len(left)


async def test_a_service_stops_in_time_while_the_log_is_locked(
    home: Path, database_url: str, amqp_url: str, chance: random.Random, tell: Tell
) -> None:
    async with service(home, database_url, amqp_url) as running, watched(database_url, amqp_url) as world:
        load = Load(amqp_url, chance, landed=lambda: world.head)
        async with loading(load):
            await world.grown(300)
            async with held(database_url, APPEND_LOCK):
                seconds = await ended_by(running, [TERM])
            tell(f"stopped in {seconds:.1f} s")
            await running.start()
        await check_promises(world, load.confirmed, running)
