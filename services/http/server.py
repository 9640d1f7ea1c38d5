"""Listening and stopping. Which event loop runs it all is the caller's choice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiohttp.web import ServerRunner, TCPSite

from services.http.app import HttpApp
from services.http.transport import HttpListener

BACKLOG: Final = 1_024

log = structlog.get_logger(__name__)


@asynccontextmanager
async def serve_http(
    app: HttpApp,
    *,
    host: str,
    port: int,
    shutdown_seconds: float = 10.0,
    uri_bytes: int = 8_192,
    header_bytes: int = 16_384,
) -> AsyncIterator[int]:
    """Serve while the context is open; gives the port, which the system chose if ``port`` is 0.

    On the way out: no new connections, no further request on a connection, what is in flight is answered within
    ``shutdown_seconds``, then every connection is closed. Close it before what answers the commands.
    """
    listener = HttpListener(app, uri_bytes=uri_bytes, header_bytes=header_bytes)
    runner = ServerRunner(listener, shutdown_timeout=shutdown_seconds, handle_signals=False)
    await runner.setup()
    try:
        site = TCPSite(runner, host, port, backlog=BACKLOG)
        await site.start()
        bound = runner.addresses[0][1]
        log.info("http_listening", host=host, port=bound)
        yield bound
    finally:
        app.edge.stopping.set()
        await _cleanup(runner, shutdown_seconds)
        log.info("http_stopped")


async def _cleanup(runner: ServerRunner, seconds: float) -> None:
    # aiohttp gives every connection the whole time twice over; the deadline here is the service's own.
    try:
        async with asyncio.timeout(seconds + 1):
            await runner.cleanup()
    except TimeoutError:
        log.warning("http_requests_cut_off", seconds=seconds)
