"""Both sides of the broker: the stations that publish readings, the backend app that counts what comes out."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from services.demo.readings import NAMESPACE, Reading

COMMANDS = "twinlog.commands"
EVENTS = "twinlog.events"
CONTENT_TYPE = "application/vnd.eclipse.ditto+json"
UNCONFIRMED = 1_000


async def publish_readings(
    channel: AbstractChannel, readings: Iterable[Reading], user: str, progress: Callable[[], None]
) -> int:
    """Publish as fast as the broker confirms, at most ``UNCONFIRMED`` ahead of it; says how many were confirmed."""
    exchange = await channel.get_exchange(COMMANDS, ensure=False)
    in_flight: deque[asyncio.Task[object]] = deque()
    confirmed = 0
    for reading in readings:
        message = aio_pika.Message(
            reading.envelope(time.time()),
            content_type=CONTENT_TYPE,
            message_id=reading.message_id,
            user_id=user,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        in_flight.append(asyncio.ensure_future(exchange.publish(message, routing_key=reading.station.thing_id)))
        while len(in_flight) >= UNCONFIRMED or (in_flight and in_flight[0].done()):
            await in_flight.popleft()
            confirmed += 1
            progress()
    for publication in in_flight:
        await publication
        confirmed += 1
        progress()
    return confirmed


@dataclass(slots=True)
class Audience:
    """Counts the stations' events as they arrive; a repeated delivery of the same event counts once."""

    after_revision: dict[str, int]
    progress: Callable[[], None]
    seen: dict[str, set[int]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    latest: dict[str, int] = field(default_factory=dict)
    out_of_order: int = 0
    finished_at: float = 0.0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def received(self) -> int:
        """How many different events have come."""
        return sum(map(len, self.seen.values()))

    async def listen(self, channel: AbstractChannel) -> AbstractQueue:
        """Bind a private queue to the stations' namespace and count what comes from now on."""
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EVENTS, routing_key=f"things.{NAMESPACE}.#")
        await queue.consume(self._hear, no_ack=True)
        return queue

    async def wait_for(self, count: int, *, seconds: float) -> bool:
        """Whether ``count`` different events come before ``seconds`` have passed without a new one."""
        async with self._arrived:
            while self.received < count:
                try:
                    await asyncio.wait_for(self._arrived.wait(), seconds)
                except TimeoutError:
                    return False
        return True

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        now = time.time()
        envelope = orjson.loads(message.body)
        thing_id = ":".join(envelope["topic"].split("/", 2)[:2])
        revision = envelope["revision"]
        revisions = self.seen.setdefault(thing_id, set())
        if revision <= self.after_revision.get(thing_id, 0) or revision in revisions:
            return
        self.out_of_order += revision < self.latest.get(thing_id, 0)
        self.latest[thing_id] = revision
        revisions.add(revision)
        self.latencies.append(now - envelope["headers"].get("demo-sent-at", now))
        self.finished_at = now
        self.progress()
        async with self._arrived:
            self._arrived.notify_all()
