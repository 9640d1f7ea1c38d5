"""A channel for many messages: deliveries and confirms without a task each, frames written in joined pieces.

``aiormq`` hands every delivery to a task of its own and every publication to a lock, a queue and a future. Below that
lies a surface that needs none of them, and only it is used here: the attributes ``frames`` of its channel and
``write_queue`` of its connection, and the value ``ChannelFrame``. Opening, declaring, consuming, cancelling and
closing stay with ``aiormq``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from aiormq.abc import AbstractChannel, AbstractConnection, ChannelFrame, FrameType
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from typing_extensions import override

from protocol.immutable import immutable
from services.amqp.frames import acknowledgement, publication, publish_method

Taken: TypeAlias = Callable[[FrameType], bool]


@immutable
class Delivery:
    """A message as it came, and the tag that settles it on the channel it came from."""

    tag: int
    redelivered: bool
    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes


class FrameTap(asyncio.Queue[tuple[int, FrameType]]):
    """Stands where a connection puts the frames of a channel, takes what ``taken`` accepts, and passes on the rest."""

    def __init__(self, channel: AbstractChannel, taken: Taken) -> None:
        super().__init__()
        self._behind: asyncio.Queue[tuple[int, FrameType]] = channel.frames
        self._taken = taken
        channel.frames = self

    @override
    async def put(self, item: tuple[int, FrameType]) -> None:
        if not self._taken(item[1]):
            await self._behind.put(item)

    @override
    async def get(self) -> tuple[int, FrameType]:
        return await self._behind.get()

    @override
    def task_done(self) -> None:
        self._behind.task_done()


class Outbox:
    """What goes out on one connection, joined: all that is written while one piece is being sent is the next piece.

    ``run`` ends only by cancellation; a closed connection never tells it, so its owner must.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self.frame_max = connection.connection_tune.frame_max or 131_072
        self._connection = connection
        self._pieces: list[bytes] = []
        self._filled = asyncio.Event()
        self._flushed: list[asyncio.Future[None]] = []

    def write(self, frames: bytes) -> None:
        """Send whole frames, in the order of the calls."""
        self._pieces.append(frames)
        self._filled.set()

    async def flush(self) -> None:
        """Return when everything written so far has been handed to the system."""
        flushed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushed.append(flushed)
        self._filled.set()
        await flushed

    async def run(self) -> None:
        """Send for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._filled.wait()
            self._filled.clear()
            payload = b"".join(self._pieces)
            self._pieces.clear()
            flushed, self._flushed = self._flushed, []
            sent: asyncio.Future[None] = loop.create_future()
            await self._connection.write_queue.put(ChannelFrame(payload, should_close=False, drain_future=sent))
            await sent
            for waiting in flushed:
                if not waiting.done():
                    waiting.set_result(None)


class ConsumingChannel:
    """Puts deliveries together from their frames and gives each to ``deliver``, in order, within the reader's turn."""

    def __init__(self, channel: AbstractChannel, outbox: Outbox, deliver: Callable[[Delivery], None]) -> None:
        self.number = channel.number
        self._outbox = outbox
        self._deliver = deliver
        self._method: Basic.Deliver | None = None
        self._properties = Basic.Properties()
        self._missing = 0
        self._pieces: list[bytes] = []
        FrameTap(channel, self._take)

    def acknowledge(self, delivery_tag: int, *, multiple: bool) -> None:
        """Settle one delivery, or all up to this one."""
        self._outbox.write(acknowledgement(self.number, delivery_tag, multiple=multiple))

    def publish(self, exchange: str, routing_key: str, properties: bytes, body: bytes) -> None:
        """Publish without confirm; the broker sees it before any acknowledgement written later."""
        method = publish_method(self.number, exchange, routing_key)
        self._outbox.write(publication(method, self.number, properties, body, self._outbox.frame_max))

    def _take(self, frame: FrameType) -> bool:
        if isinstance(frame, ContentBody):
            self._pieces.append(frame.value)
            self._missing -= len(frame.value)
        elif isinstance(frame, ContentHeader):
            self._properties = frame.properties
            self._missing = frame.body_size
        elif isinstance(frame, Basic.Deliver):
            self._method = frame
            return True
        else:
            return False
        if self._missing <= 0:
            self._complete()
        return True

    def _complete(self) -> None:
        method = self._method
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if method is not None:
            self._deliver(
                Delivery(
                    tag=method.delivery_tag or 0,
                    redelivered=bool(method.redelivered),
                    exchange=method.exchange or "",
                    routing_key=method.routing_key or "",
                    properties=self._properties,
                    body=body,
                )
            )


class PublishingChannel:
    """Publishes with confirms, as many in flight as the caller lets be.

    ``settled`` is told each confirm: the tag, whether it stands for all tags up to it, and whether the broker took the
    message. Tags count the publications of this channel from 1.
    """

    def __init__(self, channel: AbstractChannel, outbox: Outbox, settled: Callable[[int, bool, bool], None]) -> None:
        self.number = channel.number
        self.last_tag = 0
        self._outbox = outbox
        self._settled = settled
        FrameTap(channel, self._take)

    def publish(self, exchange: str, routing_key: str, properties: bytes, body: bytes) -> int:
        """Publish; the answer is the tag that its confirm will carry."""
        method = publish_method(self.number, exchange, routing_key)
        self._outbox.write(publication(method, self.number, properties, body, self._outbox.frame_max))
        self.last_tag += 1
        return self.last_tag

    def _take(self, frame: FrameType) -> bool:
        if not isinstance(frame, (Basic.Ack, Basic.Nack)):
            return False
        self._settled(frame.delivery_tag, bool(frame.multiple), isinstance(frame, Basic.Ack))
        return True
