"""What a fleet of 100 000 things costs: rebuild rate, memory of the process, and the time from start to ready."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from eventstore.migrations import migrate
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from tests.benchmarks import fleet
from tests.benchmarks.measures import Measure
from tests.benchmarks.paths import CONNECTIONS
from tests.benchmarks.processes import caught_up, load, twinlog

THINGS = 100_000
EVENTS = 2 * THINGS
"""A thing and its policy each."""
PATIENCE_SECONDS = 300.0
MEGABYTE = 1_048_576


async def measure(home: Path, database_url: str, amqp_url: str, tell: Callable[[str], None]) -> list[Measure]:
    """Seed the log, let the projector catch up with it, read every thing once, start again."""
    catch_up = Measure(
        name="twins built from 100 000 created things, the other read models beside it", unit="events/s", least=20_000
    )
    memory = Measure(name="resident memory, 100 000 twins built and read", unit="MB", most=250)
    start = Measure(name="start to ready, existing data", unit="ms", most=3_000)
    await migrate(database_url)
    async with contextlib.AsyncExitStack() as stack:
        store = PostgresEventStore(await stack.enter_async_context(await create_pool(database_url, size=2)))
        tell("seeding 100 000 things")
        await fleet.seed_log(store, THINGS)
    tell(catch_up.name)
    async with twinlog(home / "service", database_url, "off") as service:
        began = time.perf_counter()
        await caught_up(service.port, PATIENCE_SECONDS, ["twins"])
        catch_up.twinlog.append(EVENTS / (time.perf_counter() - began))
        await load("load_http", _reads(service.port), service.process)
        memory.twinlog.append(service.resident_bytes() / MEGABYTE)
    for _ in range(5):
        tell(start.name)
        async with twinlog(home / "service", database_url, amqp_url) as service:
            start.twinlog.append(service.seconds_to_ready * 1_000)
    return [catch_up, memory, start]


def _reads(port: int) -> dict[str, object]:
    return {
        "port": port,
        "method": "GET",
        "paths": fleet.paths(count=THINGS),
        "authorization": fleet.AUTHORIZATION,
        "body": "",
        "connections": CONNECTIONS,
        "seconds": 20.0,
    }
