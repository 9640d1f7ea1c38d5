"""Iterating over the log without leaving anything open, and without waiting for the next page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from eventstore.events import RecordedEvent

Page = Sequence[RecordedEvent]


@asynccontextmanager
async def closing(pages: AsyncIterator[Page]) -> AsyncIterator[AsyncIterator[Page]]:
    """The pages; an iteration that was broken off is closed here and now, not whenever it is collected."""
    try:
        yield pages
    finally:
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()


@asynccontextmanager
async def read_ahead(pages: AsyncIterator[Page]) -> AsyncIterator[AsyncIterator[Page]]:
    """The pages, each fetched while the one before is worked on."""
    async with closing(pages):
        coming = asyncio.ensure_future(_next(pages))
        try:

            async def iterate() -> AsyncIterator[Page]:
                nonlocal coming
                while (page := await coming) is not None:
                    coming = asyncio.ensure_future(_next(pages))
                    yield page

            async with closing(iterate()) as ahead:
                yield ahead
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


async def _next(pages: AsyncIterator[Page]) -> Page | None:
    return await anext(pages, None)
