"""Both ends of the broker for the tests: the service's side and the devices' and backends' side."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from yarl import URL

from services.amqp.connection import Backoff, Link
from services.amqp.consumer import CommandConsumer
from services.amqp.envelopes import DittoMapper
from services.amqp.identity import Identity
from services.amqp.intake import Patience, Submits
from services.amqp.meters import Meters
from services.amqp.searches import SearchEdge
from services.amqp.topology import Topology
from services.metrics import Metrics
from services.outcomes import Index
from tests.waiting import DEADLINE, eventually

FAST = Backoff(first=0.02, longest=0.2, steady=1.0)


def envelope(
    thing: str = "farm.one/pump-7",
    path: str = "/attributes/rpm",
    value: object = 1,
    *,
    action: str = "modify",
    headers: dict[str, object] | None = None,
) -> bytes:
    message: dict[str, object] = {"topic": f"{thing}/things/twin/commands/{action}", "headers": headers or {}}
    message["path"] = path
    if action not in {"retrieve", "delete"}:
        message["value"] = value
    return orjson.dumps(message)


@dataclass
class Field:
    """The devices' and backends' side."""

    connection: AbstractConnection
    channel: AbstractChannel
    topology: Topology

    async def send(
        self,
        body: bytes,
        *,
        reply_to: str | None = None,
        correlation_id: str | None = None,
        message_id: str | None = None,
        content_type: str | None = "application/vnd.eclipse.ditto+json",
        user_id: str | None = None,
        headers: dict[str, object] | None = None,
        routing_key: str = "pump-7",
    ) -> None:
        message = aio_pika.Message(
            body,
            reply_to=reply_to,
            correlation_id=correlation_id,
            message_id=message_id,
            content_type=content_type,
            user_id=user_id,
            headers=headers,  # type: ignore[arg-type]  # whatever a device may send
            delivery_mode=2,
        )
        exchange = await self.channel.get_exchange(self.topology.commands, ensure=False)
        await exchange.publish(message, routing_key)

    async def queue(self, name: str | None = None) -> AbstractQueue:
        return await self.channel.declare_queue(name)

    async def events(self, binding: str = "#") -> AbstractQueue:
        queue = await self.channel.declare_queue(exclusive=True)
        await queue.bind(self.topology.events, binding)
        return queue

    async def waiting(self, name: str) -> int:
        """Messages ready in a queue, those that are delivered and unacknowledged not counted."""
        channel = await self.connection.channel()
        count = (await channel.declare_queue(name, passive=True)).declaration_result.message_count
        await channel.close()
        return count or 0

    async def dead_letter(self, *, within: float = DEADLINE) -> AbstractIncomingMessage:
        return await take(await self.channel.get_queue(self.topology.dead_letters), within=within)


async def take(queue: AbstractQueue, *, within: float = DEADLINE) -> AbstractIncomingMessage:
    """The next message of a queue."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        message = await queue.get(fail=False, no_ack=True)
        if message is not None:
            return message
        await asyncio.sleep(0.005)
    raise AssertionError(f"no message in {queue.name} within {within} s")


async def take_all(queue: AbstractQueue, count: int, *, within: float = DEADLINE) -> list[AbstractIncomingMessage]:
    return [await take(queue, within=within) for _ in range(count)]


@asynccontextmanager
async def field(url: str, topology: Topology | None = None) -> AsyncIterator[Field]:
    connection = await aio_pika.connect(url)
    async with connection:
        yield Field(connection, await connection.channel(), topology or Topology())


async def comes_back(url: str, count: int, name: str = "twinlog.commands") -> None:
    """Wait until so many messages are in the queue: what a consumer had comes back a moment after it has gone."""

    async def is_back() -> bool:
        return await left_in_queue(url, name) == count

    await eventually(is_back, f"{count} messages are back in {name}")


async def left_in_queue(url: str, name: str = "twinlog.commands") -> int:
    """Messages in the queue that nobody consumes any more."""
    async with field(url) as world:
        while True:
            channel = await world.connection.channel()
            result = (await channel.declare_queue(name, passive=True)).declaration_result
            await channel.close()
            if not result.consumer_count:
                return result.message_count or 0
            await asyncio.sleep(0.01)


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_meters() -> Meters:
    return Meters(Metrics())


def new_link(url: str, name: str = "test") -> Link:
    return Link(url, Topology(), name=name, backoff=FAST, heartbeat=60)


def new_consumer(
    url: str,
    commanding: Submits,
    *,
    identity: Identity | None = None,
    prefetch: int = 1_000,
    attempts: int = 3,
    meters: Meters | None = None,
    searches: SearchEdge | None = None,
    index: Index | None = None,
) -> CommandConsumer:
    return CommandConsumer(
        new_link(url, "commands"),
        commanding=commanding,
        mapper=DittoMapper(),
        identity=identity or Identity(default_subjects=("integration:farm",)),
        clock=utc_now,
        meters=meters or new_meters(),
        prefetch=prefetch,
        patience=Patience(attempts=attempts, backoff=FAST),
        searches=searches,
        index=index,
    )


@asynccontextmanager
async def running(consumer: CommandConsumer, *, stop_seconds: float = DEADLINE) -> AsyncIterator[CommandConsumer]:
    """Run a consumer until the end of the block, then stop it in order."""
    task = asyncio.ensure_future(consumer.run())
    try:
        await eventually(lambda: consumer.ready or task.done(), "the consumer consumes")
        yield consumer
        await consumer.stop(stop_seconds)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def background(work: Awaitable[None]) -> AsyncIterator[asyncio.Future[None]]:
    """Run something beside the block and cancel it at its end."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Line:
    """A connection to the broker that can be cut like a cable."""

    def __init__(self, url: str) -> None:
        target = URL(url)
        self._target = (target.host or "", target.port or 5672)
        self._url = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = url
        self.refuses = False

    async def open(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = str(self._url.with_port(server.sockets[0].getsockname()[1]))
        return server

    def cut(self) -> None:
        """Break every connection at once, without a farewell."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        self._writers.add(writer)  # before the far side is there: a cut meanwhile is one of this connection, too
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers.add(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(_pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()


@asynccontextmanager
async def proxy(url: str) -> AsyncIterator[Line]:
    """A line to the broker; use ``line.url`` instead of ``url``."""
    line = Line(url)
    server = await line.open()
    try:
        yield line
    finally:
        server.close()
        line.cut()
