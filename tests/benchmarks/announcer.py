"""Many subjects that expire at the same second: announced, confirmed, removed, while commands go on.

The policies are put straight into the log before the service starts, so that nothing but the deadline is measured. All
roles run in one process, as ``twinlog serve`` does; a backend listens to the announcements; an owner changes a thing
of another policy again and again. What became of it all is read from the log afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import aiormq
import orjson

from eventstore.events import Appended, Commit, NewEvent, StreamAppend, StreamName
from eventstore.migrations import migrate
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from eventstore.store import Selection
from services.amqp.channels import ConsumingChannel, Delivery, Outbox
from tests.benchmarks import fleet
from tests.benchmarks.measures import Measure
from tests.benchmarks.processes import Twinlog, processor_seconds, twinlog

SUBJECTS = 10_000
CROWD = 500
"""Subjects of one policy, where they share policies."""
LEAD = timedelta(seconds=30)
"""From putting the policies into the log to the deadline: enough to start and to build the read models."""
NOTICE = timedelta(seconds=1)
COMMANDS_PER_SECOND = 50
PATIENCE_SECONDS = 240.0
EXCHANGE = "twinlog.announcements"


@dataclass(slots=True)
class Heard:
    """Announcements by subject, and when the last one came that was the first of its subject."""

    subjects: set[str] = field(default_factory=set)
    messages: int = 0
    last_at: float = 0.0

    def hear(self, delivery: Delivery) -> None:
        """Take one announcement."""
        self.messages += 1
        told = orjson.loads(delivery.body)["value"]["subjectIds"]
        if not self.subjects.issuperset(told):
            self.subjects.update(told)
            self.last_at = time.time()


@dataclass(slots=True)
class Ended:
    """What the log has of announcements and removals: how many, and when the last one was recorded."""

    position: int = 0
    published: int = 0
    removed: int = 0
    published_at: float = 0.0
    removed_at: float = 0.0

    async def follow(self, store: PostgresEventStore) -> None:
        """Read on to the end of the log."""
        async for page in store.read(Selection(after_position=self.position)):
            for event in page:
                if event.type == "published":
                    self.published += 1
                    self.published_at = event.recorded_at.timestamp()
                elif event.type == "deleted":
                    self.removed += 1
                    self.removed_at = event.recorded_at.timestamp()
            self.position = page[-1].position


async def measure(
    home: Path, database_url: str, amqp_url: str, tell: Callable[[str], None], *, per_policy: int = 1
) -> list[Measure]:
    """One deadline for ``SUBJECTS`` subjects, ``per_policy`` in each policy."""
    name = f"{SUBJECTS:,} subjects of {SUBJECTS // per_policy:,} policies at the same second"
    tell(name)
    await migrate(database_url)
    async with await create_pool(database_url, size=2) as pool:
        store = PostgresEventStore(pool)
        due = await _seed(store, per_policy)
        ended = Ended(position=await store.head())
        async with twinlog(home / "service", database_url, amqp_url) as service:
            path = await _bystander(service)
            async with _listening(amqp_url) as heard:
                await _caught_up(service.port)
                assert datetime.now(UTC) < due - NOTICE, "the read models were not ready before the deadline"
                return await _deadline(name, service, store, due, heard, ended, path)


async def _deadline(
    name: str,
    service: Twinlog,
    store: PostgresEventStore,
    due: datetime,
    heard: Heard,
    ended: Ended,
    path: str,
) -> list[Measure]:
    begin = (due - NOTICE).timestamp()
    await asyncio.sleep(begin - time.time())
    busy = processor_seconds(service.process)
    commands = asyncio.create_task(_commands(service.port, path))
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while ended.removed < SUBJECTS or ended.published < SUBJECTS:
            assert time.monotonic() < until, f"after {PATIENCE_SECONDS} s: {ended}"
            await asyncio.sleep(0.5)
            await ended.follow(store)
    finally:
        commands.cancel()
        latencies = await commands
    busy = processor_seconds(service.process) - busy
    assert len(heard.subjects) == SUBJECTS, len(heard.subjects)
    told = Measure(name=f"{name}: the last is announced and confirmed", unit="s", most=30)
    told.twinlog.append(ended.published_at - begin)
    told.notes = f"{heard.messages:,} announcements heard, the last after {heard.last_at - begin:.1f} s"
    removed = Measure(name=f"{name}: the last is removed", unit="s", most=30)
    removed.twinlog.append(ended.removed_at - begin)
    removed.twinlog_cpu.append(busy / SUBJECTS * 1e6)
    removed.notes = f"{busy:.1f} s of processor time in the service, {ended.removed:,} removals"
    waits = Measure(name="commands meanwhile, p99", unit="ms")
    ordered = sorted(latencies)
    waits.twinlog.append(ordered[int(len(ordered) * 0.99)] * 1_000)
    waits.notes = f"p50 {ordered[len(ordered) // 2] * 1_000:.0f} ms; {len(ordered):,} at {COMMANDS_PER_SECOND}/s"
    return [told, removed, waits]


async def _commands(port: int, path: str) -> list[float]:
    """Latencies of changes that are sent at a steady rate, however slow their answers are, until cancelled."""
    latencies: list[float] = []
    async with aiohttp.ClientSession(headers={"Authorization": fleet.AUTHORIZATION}) as session:

        async def change(number: int, at: float) -> None:
            async with session.put(f"http://127.0.0.1:{port}{path}/attributes/number", json=number) as response:
                assert response.status in {201, 204}, await response.text()
            latencies.append(time.perf_counter() - at)

        number, began = 0, time.perf_counter()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                while True:
                    number += 1
                    at = began + number / COMMANDS_PER_SECOND
                    await asyncio.sleep(at - time.perf_counter())
                    group.create_task(change(number, at))
    return latencies


@contextlib.asynccontextmanager
async def _listening(amqp_url: str) -> AsyncIterator[Heard]:
    heard = Heard()
    connection = await aiormq.connect(amqp_url)
    try:
        channel = await connection.channel()
        queue = (await channel.queue_declare(exclusive=True)).queue or ""
        await channel.queue_bind(queue, EXCHANGE, "#")
        ConsumingChannel(channel, Outbox(connection), heard.hear)
        await channel.basic_consume(queue, _never, no_ack=True)
        yield heard
    finally:
        await connection.close()


async def _never(message: object) -> None:
    raise AssertionError(message)


async def _bystander(service: Twinlog) -> str:
    """A thing of the owner's, which has nothing to do with what expires."""
    await fleet.create_things(service.port, count=1)
    return fleet.paths(count=1)[0]


async def _caught_up(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                lags = [line for line in (await response.text()).splitlines() if line.startswith("twinlog_projection_")]
            if lags and all(line.endswith(" 0.0") for line in lags if "lag_events{" in line):
                return
            await asyncio.sleep(0.2)


async def _seed(store: PostgresEventStore, per_policy: int) -> datetime:
    """The policies, and the second at which all their guests expire."""
    due = (datetime.now(UTC) + LEAD).replace(microsecond=0)
    guest: dict[str, object] = {
        "type": "bench",
        "expiry": due.isoformat().replace("+00:00", "Z"),
        "announcement": {"beforeExpiry": f"{NOTICE.seconds}s", "randomizationInterval": "0s"},
    }
    commits = list(_policies(guest, per_policy))
    for start in range(0, len(commits), 250):
        outcome = await store.append(commits[start : start + 250], recorded_at=datetime.now(UTC))
        assert isinstance(outcome, Appended)
    return due


def _policies(guest: dict[str, object], per_policy: int) -> Iterator[Commit]:
    for begin in range(0, SUBJECTS, per_policy):
        policy_id = f"{fleet.NAMESPACE}:guests-{begin}"
        guests = {f"integration:app-{number}": guest for number in range(begin, begin + per_policy)}
        resources = {"thing:/": {"grant": ["READ"], "revoke": []}}
        entries = {**fleet.entries(fleet.SUBJECT), "guests": {"subjects": guests, "resources": resources}}
        value = orjson.dumps({"policyId": policy_id, "entries": entries})
        event = NewEvent(type="created", path="/", value=value, headers=b"{}")
        append = StreamAppend(stream=StreamName(f"policy:{policy_id}"), expected_revision=0, events=(event,))
        yield Commit(appends=(append,))
