"""Asking the running service over HTTP, as the user that it was started with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson
from yarl import URL

from services.cli.connection import http_url
from services.cli.exits import Exit, fail

SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """The running service, for one command."""

    url: URL
    session: aiohttp.ClientSession

    async def ask(self, path: str, parameters: dict[str, str]) -> bytes:
        """The body of the answer to a GET below ``/api/2``.

        Ends the command with exit code 2 and the service's own words when it refuses, with 3 when it does not answer.
        """
        try:
            async with self.session.get(self.url / "api/2" / path, params=parameters) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            fail(f"The service does not answer: {error!r}", Exit.UNREACHED)
        if response.status != 200:
            fail(_words(body), Exit.USAGE)
        return body


def _words(refusal: bytes) -> str:
    """What the service said; what is refused before it is read, such as a target that is too long, in plain text."""
    try:
        error = orjson.loads(refusal)
    except orjson.JSONDecodeError:
        return refusal.decode(errors="replace").strip()
    return f"{error.get('message')} {error.get('description') or ''}".strip()


@asynccontextmanager
async def open_service() -> AsyncIterator[Service]:
    """The service that runs on the data folder; ends the command with exit code 3 without one."""
    url = URL(http_url())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        yield Service(url, session)
