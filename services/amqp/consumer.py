"""The role that takes commands from the queue."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime

import structlog
from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from pamqp.commands import Basic

from services.amqp.acknowledges import Acknowledges, NobodyAsked
from services.amqp.channels import ConsumingChannel, Outbox
from services.amqp.connection import Link, SessionEnded
from services.amqp.dead_letters import DeadLetters
from services.amqp.identity import Identity
from services.amqp.intake import Intake, Patience, Submits
from services.amqp.mapper import Mapper
from services.amqp.meters import Meters
from services.amqp.replies import ExchangeReplies, Replies
from services.amqp.searches import SearchEdge
from services.outcomes import Index

log = structlog.get_logger(__name__)


class CommandConsumer:
    """Consumes ``topology.commands`` over a link of its own, at most ``prefetch`` unacknowledged at a time.

    A lost connection, a channel closed by the broker or a deleted queue begin a new session; what was not acknowledged
    comes back, and its command ids keep it from taking effect twice.
    """

    def __init__(  # noqa: PLR0913 - who takes what, and how patiently; most have defaults
        self,
        link: Link,
        *,
        commanding: Submits,
        mapper: Mapper,
        identity: Identity,
        clock: Callable[[], datetime],
        meters: Meters,
        prefetch: int = 1_000,
        patience: Patience | None = None,
        acknowledging: Acknowledges | None = None,
        searches: SearchEdge | None = None,
        index: Index | None = None,
    ) -> None:
        self.link = link
        self._commanding = commanding
        self._mapper = mapper
        self._identity = identity
        self._clock = clock
        self._meters = meters
        self._prefetch = prefetch
        self._patience = patience or Patience()
        self._acknowledging = acknowledging or NobodyAsked()
        self._searches = searches
        self._index = index
        self._running: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        self._consuming = False

    @property
    def ready(self) -> bool:
        """Whether messages are being consumed."""
        return self._consuming

    async def run(self) -> None:
        """Consume until ``stop``; cancel to leave everything as it is."""
        self._running = asyncio.ensure_future(self.link.run(self._session))
        try:
            await asyncio.wait({self._running})
            if not self._running.cancelled():
                self._running.result()
        finally:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def stop(self, seconds: float) -> None:
        """Take nothing more, finish and acknowledge what is in flight within ``seconds``, and end ``run``."""
        self._stopping.set()
        if self._running is None:
            return
        if self._consuming:
            await asyncio.wait({self._running}, timeout=seconds)
        self._running.cancel()
        await asyncio.wait({self._running})

    async def _session(self, connection: AbstractConnection) -> None:
        outbox = Outbox(connection)
        channel = await connection.channel(publisher_confirms=False)
        await channel.basic_qos(prefetch_count=self._prefetch)
        intake = Intake(
            commanding=self._commanding,
            acknowledging=self._acknowledging,
            mapper=self._mapper,
            identity=self._identity,
            dead_letters=DeadLetters(connection, self.link.topology.dead_letters, self._clock),
            meters=self._meters,
            patience=self._patience,
            name=uuid.uuid4().hex,
            searches=self._searches,
            index=self._index,
            held_max=self._prefetch // 2,
        )
        consuming = ConsumingChannel(channel, outbox, intake.deliver)
        exchanges = ExchangeReplies(connection, outbox)
        intake.attach(consuming, Replies(consuming, exchanges, self.link.topology.names))
        if self._searches is not None:
            self._searches.attach(connection)
        sending = asyncio.ensure_future(outbox.run())
        try:
            await self._consume(channel)
            await intake.drain()
            await outbox.flush()
        finally:
            self._consuming = False
            if self._searches is not None:
                self._searches.detach()
            intake.close()
            exchanges.close()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _consume(self, channel: AbstractChannel) -> None:
        """Consume until told to stop; raises ``SessionEnded`` when the broker ends it."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def cancelled(frame: Basic.Cancel) -> None:
            log.warning("consumer_cancelled", consumer=frame.consumer_tag)
            if not gone.done():
                gone.set_result(None)

        channel.on_consumer_cancel_callbacks.add(cancelled)
        closing = channel.closing
        consumer = await channel.basic_consume(self.link.topology.commands, _taken_before)
        self._consuming = True
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({gone, closing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                raise SessionEnded("the broker closed the channel or cancelled the consumer")
            await channel.basic_cancel(consumer.consumer_tag or "")
        finally:
            stopping.cancel()
            closing.cancel()


async def _taken_before(message: DeliveredMessage) -> None:
    """Never called: the tap of ``ConsumingChannel`` takes deliveries before ``aiormq`` sees them."""
    raise AssertionError(message)
