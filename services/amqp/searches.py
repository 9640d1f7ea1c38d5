"""Searches by pages over a broker: the pages go to the reply address, for as long as somebody is there."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Final, Protocol

import structlog
from aiormq import Channel
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity, PublishError
from pamqp.commands import Basic, Queue
from typing_extensions import override

from protocol.errors import HeaderInvalid, SearchSubscriptionAborted
from protocol.signals import Headers, SearchEvent, SearchSignal
from protocol.wire.envelope import CONTENT_TYPE, encode_envelope
from protocol.wire.search import search_envelope
from services.amqp.replies import DIRECT_REPLY_TO, Address, correlation_id, parse_address, too_long
from services.amqp.requests import Request
from services.searching.session import Emit, SearchSession, Undelivered
from services.searching.subscription import Route

SECONDS: Final = 10.0
"""How long the broker may take to confirm a page."""
LARGEST: Final = 15 * 1024 * 1024
"""Bytes of a message that brokers take without being told to take more; RabbitMQ's own limit is 16 MiB."""
_KNOWN_MAX: Final = 1_000
_TROUBLE: Final = (AMQPError, RuntimeError, OSError, TimeoutError)

log = structlog.get_logger(__name__)


class Searches(Protocol):
    """The part of a consumer that hears what is said about searches."""

    def submit(self, request: Request, signal: SearchSignal) -> asyncio.Future[None]:
        """Done when it is kept. Raises or fails with a ``DittoError``."""
        ...


class SearchEdge:
    """A search session whose clients are behind the broker.

    A page counts as sent when the broker has confirmed it. What cannot be routed (the reply queue is gone, the exchange
    does not exist, nobody listens any more) ends its search. While there is no connection, pages wait.
    """

    def __init__(self, open_session: Callable[[Emit], SearchSession], own: frozenset[str]) -> None:
        """``own`` are names in the broker that are no reply addresses."""
        self._session = open_session(self._emit)
        self._own = own
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._exchanges: set[str] = set()

    def attach(self, connection: AbstractConnection) -> None:
        """Send over this connection from now on."""
        self._connection, self._channel = connection, None
        self._exchanges.clear()

    def detach(self) -> None:
        """There is no connection for a while."""
        self._connection = self._channel = None

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._session.run()

    def submit(self, request: Request, signal: SearchSignal) -> asyncio.Future[None]:
        """See ``Searches``; refuses with 400 what names no address to which pages could go."""
        address = request.headers.get("reply-to")
        if not isinstance(address, str) or not address:
            raise HeaderInvalid("reply-to", "an address for the pages of the search")
        return self._session.submit(signal, request.auth, Route(address=address, tag=correlation_id(request)))

    async def _emit(self, event: SearchEvent, headers: Headers, route: Route) -> bool:
        """Send an event; see ``session.Emit``."""
        exchange, routing_key = address = parse_address(route.address)
        if exchange in self._own or (not exchange and routing_key in self._own) or too_long(exchange, routing_key):
            return False
        body = encode_envelope(search_envelope(event, headers))
        if len(body) > LARGEST:
            raise SearchSubscriptionAborted("A page is larger than a message may be. Ask for less with size or fields.")
        properties = Basic.Properties(
            content_type=CONTENT_TYPE,
            correlation_id=route.tag,
            delivery_mode=2,
            message_id=uuid.uuid4().hex,  # by which aiormq tells returned messages apart
        )
        try:
            return await self._publish(address, properties, body)
        except ValueError:
            log.info("search_client_gone", address=route.address, reason="no name that AMQP allows")
            return False
        except _TROUBLE as trouble:
            raise Undelivered(str(trouble) or type(trouble).__name__) from trouble

    async def _publish(self, address: Address, properties: Basic.Properties, body: bytes) -> bool:
        connection = self._connection
        if connection is None:
            raise Undelivered("there is no connection to the broker")
        exchange, routing_key = address
        direct = routing_key.startswith(DIRECT_REPLY_TO) and not exchange
        if not await self._is_there(connection, exchange, routing_key if direct else None):
            return False
        channel = await self._open(connection)
        try:
            await channel.basic_publish(
                body,
                exchange=exchange,
                routing_key=routing_key,
                properties=properties,
                mandatory=not direct,  # a pseudo queue counts as no queue there (RabbitMQ, *Direct Reply-to*)
                timeout=SECONDS,
            )
        except PublishError:
            log.info("search_client_gone", address=exchange or routing_key)
            return False
        return True

    async def _is_there(self, connection: AbstractConnection, exchange: str, direct: str | None) -> bool:
        """Whether the exchange exists, and whether the pseudo queue has a listener; asked on a channel of its own.

        To publish to an exchange that does not exist would close the channel with everything else that is on it.
        """
        if direct is None and (not exchange or exchange in self._exchanges):
            return True
        probe = await connection.channel(publisher_confirms=False)
        assert isinstance(probe, Channel)  # noqa: S101 - the interface leaves out what asks a question of one's own
        try:
            if direct is not None:
                await probe.rpc(_DeclarePseudoQueue(queue=direct, passive=True), timeout=SECONDS)
            else:
                await probe.exchange_declare(exchange, passive=True, timeout=SECONDS)
        except ChannelNotFoundEntity:
            log.info("search_client_gone", address=exchange or direct)
            return False
        await probe.close()
        if direct is None:
            if len(self._exchanges) >= _KNOWN_MAX:
                self._exchanges.clear()
            self._exchanges.add(exchange)
        return True

    async def _open(self, connection: AbstractConnection) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._exchanges.clear()
                self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            return self._channel


class _DeclarePseudoQueue(Queue.Declare):
    """A question for a pseudo queue, whose name ``pamqp`` would not let through: it has slashes and more."""

    @override
    def validate(self) -> None:
        """Let any name through; the broker knows those that it gave."""
