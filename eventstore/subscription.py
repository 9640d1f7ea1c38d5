"""One subscriber's way along the log: read up to the ring, then live from the ring, then again if it fell behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Final

from eventstore.errors import StoreUnavailable
from eventstore.events import RecordedEvent
from eventstore.feed import Feed
from eventstore.reader import LogReader, Pages
from eventstore.selecting import is_past, matcher
from eventstore.store import Selection

log = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 0.2


async def follow(feed: Feed, reader: LogReader, selection: Selection, page_size: int) -> Pages:
    """The selected events from the past into the future, in batches that are never empty.

    A database that is away is waited for. The iteration ends if the selection has an end and the log has reached it.
    """
    belongs = matcher(selection)
    place = max(selection.after_position, 0)
    async with AsyncExitStack() as following:
        await _join(feed, following)
        while selection.to_position is None or place < selection.to_position:
            live = feed.ring.after(place, page_size)
            if live is None:
                target = feed.ring.start
                async with aclosing(_catch_up(reader, selection, place, target, page_size)) as pages:
                    async for page in pages:
                        yield page
                place = target
                if await _is_over(reader, selection, place):
                    return
            elif live:
                live = _within(selection, live)
                place = live[-1].position
                if batch := [event for event in live if belongs(event)]:
                    yield batch
                if is_past(selection, live[-1]):
                    return
            else:
                await feed.grown()


async def _join(feed: Feed, following: AsyncExitStack) -> None:
    while True:
        try:
            await following.enter_async_context(feed.subscribing())
        except StoreUnavailable as error:
            await _pause(error)
        else:
            return


async def _catch_up(reader: LogReader, selection: Selection, place: int, target: int, page_size: int) -> Pages:
    last = target if selection.to_position is None else min(target, selection.to_position)
    while True:
        rest = replace(selection, after_position=place, to_position=last)
        try:
            async with aclosing(reader.pages(rest, backwards=False, page_size=page_size)) as pages:
                async for page in pages:
                    place = page[-1].position
                    yield page
        except StoreUnavailable as error:
            await _pause(error)
        else:
            return


async def _is_over(reader: LogReader, selection: Selection, place: int) -> bool:
    """Whether the log up to ``place`` already holds something recorded after the selection's last moment."""
    if selection.to_time is None:
        return False
    while True:
        try:
            end = await reader.position_at(selection.to_time)
        except StoreUnavailable as error:
            await _pause(error)
        else:
            return end is not None and end <= place


def _within(selection: Selection, live: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
    if selection.to_position is None or live[-1].position <= selection.to_position:
        return live
    return live[: selection.to_position - live[0].position + 1]


async def _pause(error: StoreUnavailable) -> None:
    log.warning("subscription_waits", extra={"reason": str(error)})
    await asyncio.sleep(_RETRY_SECONDS)
