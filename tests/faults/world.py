"""What can be seen of a service from outside: the log, the queues, what a backend receives, what a replay gives."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from eventstore.errors import StoreError
from eventstore.events import RecordedEvent
from eventstore.pool import Pool, create_pool
from eventstore.postgres import PostgresEventStore
from projections.rebuild import Rebuild, RebuildOptions
from services.amqp.topology import Topology
from services.core import projections
from services.settings import load_settings
from tests.faults.load import ANSWERS
from tests.waiting import DEADLINE, eventually

BACKEND = "backend"
END = "end"
ACKNOWLEDGED = 500
LOOK_SECONDS = 0.02
CONNECT_SECONDS = 30.0
RECOVERY_SECONDS = float(os.environ.get("TWINLOG_SOAK_RECOVERY_SECONDS") or DEADLINE)
"""How long after a fault is over events must be stored again: a promise under ``make soak``, else any time."""


@dataclass(slots=True, kw_only=True)
class World:
    """Watches the log all the time; ``head`` is what was last seen of it, through every outage."""

    amqp_url: str
    pool: Pool
    store: PostgresEventStore
    head: int = 0
    topology: Topology = field(default_factory=Topology)

    async def watch(self) -> None:
        """Follow the head for ever."""
        while True:
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(5):
                    self.head = await self.store.head()
            await asyncio.sleep(LOOK_SECONDS)

    async def grown(self, events: int, *, within: float = DEADLINE) -> float:
        """Wait until the log has grown by so many events, and answer how many seconds that took."""
        target = self.head + events

        async def reached() -> bool:
            return self.head >= target

        return await eventually(reached, f"the log grows from {target - events} to {target}", within=within)

    async def log(self) -> list[RecordedEvent]:
        return [event async for page in self.store.read() for event in page]

    async def waiting(self, queue: str) -> int:
        """Messages ready in a queue; those delivered and unacknowledged are not counted."""
        async with await aio_pika.connect(self.amqp_url, timeout=CONNECT_SECONDS) as connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    async def emptied(self, queue: str, *, within: float = DEADLINE) -> None:
        async def is_empty() -> bool:
            return await self.waiting(queue) == 0

        await eventually(is_empty, f"{queue} is empty", within=within, every=0.1)

    async def take_all(self, queue: str) -> list[AbstractIncomingMessage]:
        """Everything that lies in a queue, in order; nobody else may be consuming."""
        async with await aio_pika.connect(self.amqp_url, timeout=CONNECT_SECONDS) as connection:
            return [message async for message in _delivered(connection, queue, keep=False)]

    async def look(self, queue: str) -> list[AbstractIncomingMessage]:
        """What lies in a queue, which stays there."""
        async with await aio_pika.connect(self.amqp_url, timeout=CONNECT_SECONDS) as connection:
            return [message async for message in _delivered(connection, queue, keep=True)]

    async def differences(self) -> list[str]:
        """Where the read models are not what a replay of the log would make of them."""
        found = []
        for name, projection in projections(load_settings()).items():
            rebuild = Rebuild(self.pool, self.store, projection(), options=RebuildOptions(compare=True, swap=False))
            found += [f"{name}: {difference}" for difference in (await rebuild.run()).differences]
        return found


async def _delivered(
    connection: AbstractConnection, queue: str, *, keep: bool
) -> AsyncIterator[AbstractIncomingMessage]:
    """All messages up to one of our own that marks the end; what was delivered and is kept goes back at the close."""
    channel = await connection.channel()
    await channel.default_exchange.publish(aio_pika.Message(b"", type=END), queue)
    inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    source = await channel.get_queue(queue, ensure=False)
    await source.consume(inbox.put)
    taken = 0
    while True:
        async with asyncio.timeout(DEADLINE):
            message = await inbox.get()
        taken += 1
        is_end = message.type == END
        if is_end or (not keep and taken % ACKNOWLEDGED == 0):
            await message.ack(multiple=not keep)
        if is_end:
            return
        yield message


@asynccontextmanager
async def watched(database_url: str, amqp_url: str) -> AsyncIterator[World]:
    """The world around a service, with a backend's durable queue that gets every event."""
    await prepare(amqp_url)
    pool = await create_pool(database_url, size=3)
    world = World(amqp_url=amqp_url, pool=pool, store=PostgresEventStore(pool))
    watching = asyncio.ensure_future(world.watch())
    try:
        yield world
        assert not watching.done(), watching
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        pool.terminate()


async def prepare(amqp_url: str) -> None:
    """Declare what belongs to the backend and the devices."""
    async with await aio_pika.connect(amqp_url, timeout=CONNECT_SECONDS) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(Topology().events, "topic", durable=True)
        backend = await channel.declare_queue(BACKEND, durable=True)
        await backend.bind(exchange, "#")
        await channel.declare_queue(ANSWERS, durable=True)
