"""Answers on their way to the queue, or the exchange, that a message names in ``reply_to``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError

from services.amqp.channels import ConsumingChannel, Outbox, PublishingChannel
from services.amqp.frames import SHORT_STRING_BYTES, persistent_properties
from services.amqp.requests import Request

log = structlog.get_logger(__name__)

DIRECT_REPLY_TO: Final = "amq.rabbitmq.reply-to"
KNOWN_MAX: Final = 1_000
REFUSED_SECONDS: Final = 60.0

Checked: TypeAlias = Callable[..., None]
Address: TypeAlias = tuple[str, str]
"""Exchange and routing key; the exchange ``""`` is the default one, whose routing keys are queue names."""


def parse_address(text: str) -> Address:
    """Read a reply address: ``queue``, ``/queue`` or ``exchange/routingKey``.

    Ditto knows only the forms with a slash; the bare queue name is what every AMQP client sends. RabbitMQ's direct
    reply-to puts a token with slashes into the name of its pseudo queue.
    """
    if text.startswith(DIRECT_REPLY_TO):
        return "", text
    exchange, slash, routing_key = text.partition("/")
    return (exchange, routing_key) if slash else ("", text)


class Replies:
    """Sends answers. Addresses under one of our own names are refused: nobody may forge events or fill dead letters."""

    def __init__(self, consuming: ConsumingChannel, exchanges: ExchangeReplies, own: frozenset[str]) -> None:
        self._consuming = consuming
        self._exchanges = exchanges
        self._own = own

    def send(self, request: Request, address: str, content_type: bytes, body: bytes, sent: Callable[[], None]) -> None:
        """Send an answer and call ``sent`` when the delivery may be acknowledged.

        To a queue that is at once: the answer is written on the consumer's own channel, so that the broker has it
        before any later acknowledgement. An exchange is on a channel of its own, because naming one that does not
        exist closes the channel, and is waited for. An answer that nobody can receive is dropped.
        """
        exchange, routing_key = parse_address(address)
        if exchange in self._own or (not exchange and routing_key in self._own) or too_long(exchange, routing_key):
            log.warning("reply_refused", address=address)
            sent()
            return
        properties = persistent_properties(content_type=content_type, correlation_id=correlation_id(request))
        if exchange:
            self._exchanges.send(exchange, routing_key, properties, body, sent)
        else:
            self._consuming.publish("", routing_key, properties, body)
            sent()


class ExchangeReplies:
    """Publishes answers to exchanges that may not exist, with confirms; one that was refused is left alone a while."""

    def __init__(self, connection: AbstractConnection, outbox: Outbox) -> None:
        self._connection = connection
        self._outbox = outbox
        self._channel: AbstractChannel | None = None
        self._publishing: PublishingChannel | None = None
        self._waiting: dict[int, Callable[[], None]] = {}
        self._known: dict[str, float] = {}
        self._checking: dict[str, list[Checked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, exchange: str, routing_key: str, properties: bytes, body: bytes, sent: Callable[[], None]) -> None:
        """Publish once the exchange is known to exist; ``sent`` is called after the confirm, or when it is in vain."""

        def checked(*, exists: bool) -> None:
            if exists and self._publishing is not None and self._channel is not None and not self._channel.is_closed:
                tag = self._publishing.publish(exchange, routing_key, properties, body)
                self._waiting[tag] = sent
            else:
                sent()

        refused_until = self._known.get(exchange)
        usable = self._channel is not None and not self._channel.is_closed
        if refused_until is not None and refused_until > asyncio.get_running_loop().time():
            sent()
        elif refused_until == 0.0 and usable:
            checked(exists=True)
        else:
            self._check(exchange, checked)

    def close(self) -> None:
        """Give up what is being checked."""
        for task in self._tasks:
            task.cancel()

    def _check(self, exchange: str, checked: Checked) -> None:
        waiting = self._checking.get(exchange)
        if waiting is not None:
            waiting.append(checked)
            return
        self._checking[exchange] = [checked]
        task = asyncio.ensure_future(self._probe(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _probe(self, exchange: str) -> None:
        exists = False
        try:
            probe = await self._connection.channel(publisher_confirms=False)
            await probe.exchange_declare(exchange, passive=True)
            await probe.close()
            await self._open()
            exists = True
        except (AMQPError, RuntimeError, OSError, ValueError) as refused:  # the last: no name that AMQP allows
            log.warning("reply_exchange_refused", exchange=exchange, reason=str(refused))
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[exchange] = 0.0 if exists else asyncio.get_running_loop().time() + REFUSED_SECONDS
        for checked in self._checking.pop(exchange):
            checked(exists=exists)

    async def _open(self) -> None:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(publisher_confirms=True)
            self._publishing = PublishingChannel(self._channel, self._outbox, self._settled)
            self._channel.closing.add_done_callback(self._lost)

    def _settled(self, tag: int, multiple: bool, _: bool) -> None:  # noqa: FBT001 - as a confirm says it
        tags = [waiting for waiting in self._waiting if waiting <= tag] if multiple else [tag]
        for each in tags:
            sent = self._waiting.pop(each, None)
            if sent is not None:
                sent()

    def _lost(self, closing: asyncio.Future[None]) -> None:
        log.warning("reply_channel_closed", lost=len(self._waiting), reason=repr(closing.exception()))
        self._known.clear()
        waiting, self._waiting = self._waiting, {}
        for sent in waiting.values():
            sent()


def correlation_id(request: Request) -> str | None:
    """The message's own property, which AMQP clients match answers by, else the envelope's if it fits a property."""
    own = request.delivery.properties.correlation_id
    if own:
        return own
    header = request.headers.get("correlation-id")
    return header if isinstance(header, str) and len(header.encode()) <= SHORT_STRING_BYTES else None


def too_long(exchange: str, routing_key: str) -> bool:
    """Whether an address does not fit the fields of AMQP."""
    return max(len(exchange.encode()), len(routing_key.encode())) > SHORT_STRING_BYTES
