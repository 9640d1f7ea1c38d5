"""Waiting for the acknowledgements that a change was requested with, whichever edge it came by.

Nobody but the twin and the search index can acknowledge yet: a foreign label is waited for as long as the client said
and then counts as missing.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from eventstore.errors import StoreError
from protocol.acknowledgements import Outcome, missing, persisted
from protocol.signals import Response
from services.expectations import SEARCH_PERSISTED, TWIN_PERSISTED, Expectation

SERVED: Final = frozenset({TWIN_PERSISTED, SEARCH_PERSISTED})
"""Labels that somebody here acknowledges."""


class Index(Protocol):
    """The part of ``services.searching.Searching`` that is used here."""

    async def persisted(self, position: int | None, seconds: float) -> bool:
        """Whether the read model comes to this place of the log (``None``: where its head is now) in time."""
        ...


async def outcomes(
    response: Response,
    expectation: Expectation,
    *,
    seconds: float,
    began: float,
    index: Index | None,
    stopping: asyncio.Event,
) -> dict[str, Outcome]:
    """How each expected label turned out, at the latest ``seconds`` after ``began`` by the loop's clock.

    When the service goes down, what is not there yet counts as missing.
    """
    loop = asyncio.get_running_loop()
    end = began + seconds
    found = at_once(response)
    waiting = asyncio.ensure_future(_rest(response, expectation, found, index, end))
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({waiting, stop}, timeout=end - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
    finally:
        waiting.cancel()
        stop.cancel()
    return {label: found.get(label) or missing(seconds) for label in expectation.labels}


async def _rest(
    response: Response, expectation: Expectation, found: dict[str, Outcome], index: Index | None, end: float
) -> None:
    """Add what comes after the change itself; lasts until ``end`` if something does not."""
    loop = asyncio.get_running_loop()
    if SEARCH_PERSISTED in expectation.labels and index is not None:
        try:
            # What changed nothing is shown as soon as what came before it.
            if await index.persisted(response.position, max(end - loop.time(), 0)):
                found[SEARCH_PERSISTED] = persisted()
        except StoreError:
            pass
    if not found.keys() >= set(expectation.labels):
        await asyncio.sleep(max(end - loop.time(), 0))


def at_once(response: Response) -> dict[str, Outcome]:
    """What is known when a command has been carried out."""
    return {TWIN_PERSISTED: Outcome(status=response.status, payload=response.value, headers=response.headers)}
