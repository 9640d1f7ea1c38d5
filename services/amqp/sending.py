"""Publishing by whoever is not the publisher role: confirmed, many in flight, on a connection of its own.

``twinlog events replay`` and the demonstration send with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel

from services.amqp.channels import Outbox, PublishingChannel
from services.amqp.connection import TROUBLE
from services.amqp.progress import Progress

CONNECT_SECONDS: Final = 10.0
BREATH: Final = 64
"""Messages written between two turns of the event loop."""


class SendingFailed(Exception):
    """The broker cannot be reached, does not know the exchange, or did not take a message."""


class Sender:
    """Sends in order; ``confirmed`` is the place up to which the broker has confirmed everything."""

    def __init__(self, channel: AbstractChannel, outbox: Outbox, exchange: str, *, after: int, in_flight: int) -> None:
        self._exchange = exchange
        self._in_flight = in_flight
        self._progress = Progress(after, limit=in_flight)
        self._failed: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._publishing = PublishingChannel(channel, outbox, self._settled)
        self._breath = BREATH
        channel.closing.add_done_callback(lambda _: self._fail("the broker closed the channel"))

    @property
    def confirmed(self) -> int:
        """The place of the last message of the confirmed beginning."""
        return self._progress.confirmed

    @property
    def sent(self) -> int:
        """How many messages were confirmed."""
        return self._progress.events

    async def send(self, place: int, routing_key: str, properties: bytes, body: bytes) -> None:
        """Send one message that stands at ``place``; places only grow. Waits while too many are in flight.

        ``properties`` are packed as ``frames.persistent_properties`` does. Raises ``SendingFailed``.
        """
        if self._progress.in_flight >= self._in_flight:
            await self._unless_failed(self._progress.room())
        tag = self._publishing.publish(self._exchange, routing_key, properties, body)
        self._progress.sent(tag, place)
        self._breath -= 1
        if not self._breath:
            self._breath = BREATH
            await self._unless_failed(asyncio.sleep(0))

    async def settle(self) -> None:
        """Wait until everything sent is confirmed. Raises ``SendingFailed``."""
        while self._progress.in_flight:
            await self._unless_failed(self._progress.moved())

    async def _unless_failed(self, waiting: Coroutine[object, object, object]) -> None:
        task: asyncio.Future[object] = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait({task, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
        finally:
            task.cancel()

    def _settled(self, tag: int, multiple: bool, taken: bool) -> None:  # noqa: FBT001 - as a confirm says it
        if taken:
            self._progress.settled(tag, multiple=multiple)
        else:
            self._fail("the broker did not take a message")

    def _fail(self, reason: str) -> None:
        if not self._failed.done():
            self._failed.set_exception(SendingFailed(reason))
            self._failed.exception()  # seen, so that an end without another send is no warning


@asynccontextmanager
async def open_sender(url: str, exchange: str, *, after: int = 0, in_flight: int = 2_000) -> AsyncIterator[Sender]:
    """A sender to an exchange that exists. Raises ``SendingFailed``; leaving does not wait for confirms."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await aiormq.connect(url)
            channel = await connection.channel(publisher_confirms=True)
            await channel.exchange_declare(exchange, passive=True)
    except TROUBLE as trouble:
        raise SendingFailed(f"the broker said: {trouble}") from trouble
    outbox = Outbox(connection)
    writing = asyncio.ensure_future(outbox.run())
    try:
        yield Sender(channel, outbox, exchange, after=after, in_flight=in_flight)
    finally:
        writing.cancel()
        with suppress(*TROUBLE, asyncio.CancelledError):
            await connection.close()
