"""One connection per process that listens, and comes back by itself when the server was away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import asyncpg

from eventstore.errors import StoreUnavailable, translate_errors
from eventstore.pool import Pool, PooledConnection
from eventstore.reader import connected
from eventstore.statements import statement

EVENTS: Final = "twinlog_events"
"""Channel: the log has grown; the payload is its last position."""

SOLE_WRITER: Final = "twinlog_sole_writer"
"""Channel: a lease is contested; the payload is its token."""

_CHECK_SECONDS: Final = 10.0
_BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

log = logging.getLogger(__name__)


class Listener:
    """Hands each notification's payload to who registered for its channel.

    Notifications are hints. Some are lost while the connection is away, so ``on_connected`` is called whenever
    listening begins (again), and everybody polls behind.
    """

    def __init__(self, pool: Pool, *, on_connected: Callable[[], None]) -> None:
        self._pool = pool
        self._on_connected = on_connected
        self._callbacks: dict[str, list[Callable[[str], None]]] = {EVENTS: [], SOLE_WRITER: []}

    def register(self, channel: str, callback: Callable[[str], None]) -> None:
        """Call back with the payload of each notification on ``channel``, in the event loop; must not block."""
        self._callbacks[channel].append(callback)

    async def run(self) -> None:
        """Listen until cancelled."""
        failures = 0
        while True:
            try:
                async with connected(self._pool) as connection:
                    try:
                        await self._listen(connection)
                        failures = 0
                        self._on_connected()
                        await self._until_lost(connection)
                    finally:
                        self._leave(connection)
            except StoreUnavailable as error:
                log.warning("listening_interrupted", extra={"reason": str(error)})
            await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
            failures += 1

    async def _listen(self, connection: PooledConnection) -> None:
        with translate_errors():
            for channel in self._callbacks:
                await connection.add_listener(channel, self._heard)

    async def _until_lost(self, connection: PooledConnection) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        while not lost.is_set():
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await lost.wait()
            except TimeoutError:
                # A connection may be gone without a word, behind a firewall for instance; a question finds out.
                with translate_errors():
                    await connection.fetch(statement("head"), timeout=_CHECK_SECONDS)

    def _leave(self, connection: PooledConnection) -> None:
        # Not back into the pool with its listeners on: whoever got it next would hear us. A connection that was lost
        # has left the pool by itself, which is all the driver complains about here.
        with suppress(asyncpg.InterfaceError):
            connection.terminate()

    def _heard(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for callback in self._callbacks[channel]:
            callback(str(payload))
