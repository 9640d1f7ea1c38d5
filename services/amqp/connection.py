"""A connection to the broker that comes back by itself."""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiormq
import structlog
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPConnectionError, AMQPError, ChannelInvalidStateError
from pamqp.exceptions import PAMQPException
from yarl import URL

from services.amqp.careful import CarefulTransport
from services.amqp.topology import Topology, TopologyConflict, declare

log = structlog.get_logger(__name__)


class SessionEnded(Exception):
    """A session cannot go on and wants to begin anew, on a new connection."""


TROUBLE = (AMQPError, PAMQPException, ChannelInvalidStateError, OSError, SessionEnded, TopologyConflict)
"""What a broker can do to us that passes, by itself or by an operator's hand."""


class LinkState(enum.Enum):
    """Where a link stands; only ``CONNECTED`` is ready."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between attempts: doubling from ``first`` to ``longest``, each shortened by up to half by chance.

    Chance keeps a fleet of processes from coming back at the same moment. A session that lasted ``steady`` seconds
    counts as success and starts the doubling over.
    """

    first: float = 0.1
    longest: float = 10.0
    steady: float = 5.0

    def pause(self, failures: int, chance: float) -> float:
        """The wait after this many failures in a row (from 1); ``chance`` in [0, 1)."""
        return min(self.first * 2.0 ** min(failures - 1, 30), self.longest) * (1.0 - chance / 2.0)


class Link:
    """Keeps one session running on one connection, for ever: reconnects, declares the topology, starts the session.

    The session gets the ``aiormq`` connection and is cancelled when that closes.
    """

    def __init__(
        self,
        url: str,
        topology: Topology,
        *,
        name: str,
        heartbeat: int = 10,
        connect_seconds: float = 10.0,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
        changed: Callable[[LinkState], None] | None = None,
    ) -> None:
        self.name = name
        self.state = LinkState.CLOSED
        self.problem: str | None = None
        self.sessions = 0
        self._url = URL(url).update_query(heartbeat=str(heartbeat), name=f"twinlog {name}")
        self.topology = topology
        self._connect_seconds = connect_seconds
        self._backoff = backoff or Backoff()
        self._chance = chance
        self._changed = changed
        self._careful = False

    @property
    def ready(self) -> bool:
        """Whether a session is running on an open connection."""
        return self.state is LinkState.CONNECTED

    async def run(self, session: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        """Run the session, again and again, until it returns. Cancel to stop at once."""
        loop = asyncio.get_running_loop()
        failures = 0
        try:
            while True:
                started = loop.time()
                try:
                    await self._once(session)
                except TROUBLE as trouble:
                    self._careful = self._careful or _is_unreadable(trouble.__cause__)
                    failures = 1 if loop.time() - started >= self._backoff.steady else failures + 1
                    await self._wait(trouble, failures)
                else:
                    return
        finally:
            self._enter(LinkState.CLOSED)

    async def _wait(self, trouble: BaseException, failures: int) -> None:
        pause = self._backoff.pause(failures, self._chance())
        self.problem = str(trouble) or type(trouble).__name__
        self._enter(LinkState.WAITING)
        log.warning("amqp_trouble", link=self.name, reason=self.problem, retry_in=round(pause, 3))
        await asyncio.sleep(pause)

    async def _once(self, session: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        self._enter(LinkState.CONNECTING)
        factory = CarefulTransport() if self._careful else None
        async with asyncio.timeout(self._connect_seconds):
            connection = await aiormq.connect(self._url, transport_factory=factory)
            await connection.ready()
        try:
            await declare(connection, self.topology)
            self.problem = None
            self.sessions += 1
            self._enter(LinkState.CONNECTED)
            log.info("amqp_connected", link=self.name)
            await _hold(connection, session)
        finally:
            await _close(connection)

    def _enter(self, state: LinkState) -> None:
        self.state = state
        if self._changed is not None:
            self._changed(state)


async def _hold(connection: AbstractConnection, session: Callable[[AbstractConnection], Awaitable[None]]) -> None:
    """Run the session until it ends or the connection does; a lost connection is a ``SessionEnded``."""
    working = asyncio.ensure_future(session(connection))
    closing = connection.closing
    try:
        await asyncio.wait({working, closing}, return_when=asyncio.FIRST_COMPLETED)
        if working.done() and not connection.is_closed:
            working.result()
            return
        working.cancel()
        await asyncio.wait({working})
        raise SessionEnded("the connection was lost") from _reason(closing)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        closing.cancel()


def _is_unreadable(cause: BaseException | None) -> bool:
    """Whether a connection ended because of what it carried: not by the broker and not by the network."""
    return isinstance(cause, Exception) and not isinstance(cause, (AMQPConnectionError, OSError))


def _reason(closing: asyncio.Future[None]) -> BaseException | None:
    return None if closing.cancelled() or not closing.done() else closing.exception()


async def _close(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(2.0):
            await connection.close()
    except TROUBLE as trouble:
        log.info("amqp_close_failed", reason=str(trouble))
