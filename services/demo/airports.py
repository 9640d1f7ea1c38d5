"""``python -m services.demo.airports``: the airports of the demonstration as twins of the service that runs already.

The examples of the README search among them.
"""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from rich.console import Console

from services.cli.connection import http_url
from services.cli.running import run
from services.demo.fleet import create_twins
from services.demo.readings import AIRPORT_NAMESPACE, airports
from services.demo.story import http_session

PATIENCE_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 0.05


def main() -> None:
    """Create those that are not there yet; done when search finds them all."""
    run(_fill())


async def _fill() -> None:
    fleet = list(airports())
    async with http_session(http_url()) as session:
        await create_twins(session, fleet, lambda: None)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await _found(session) < len(fleet):  # noqa: ASYNC110 - another process finds them
                await asyncio.sleep(LOOK_SECONDS)
    Console().print(f"{len(fleet)} airports can be searched.")


async def _found(session: aiohttp.ClientSession) -> int:
    async with session.get("/api/2/search/things/count", params={"namespaces": AIRPORT_NAMESPACE}) as response:
        return int(await response.read()) if response.status == 200 else 0


if __name__ == "__main__":
    main()
