"""The loop behind group commit: while one group is in work, the next one gathers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Lane(Generic[T]):
    """Items in order, worked off in groups, one group at a time.

    An item that comes to an idle lane is a group of its own at once: there is no waiting for company. Items that come
    while a group is in work make up the next one, so groups grow with the load and their cost per item falls.
    ``work`` answers its items itself. If it fails nevertheless, that is a defect, which must not leave the items
    without an answer nor end the service: it is logged, and ``failed`` gets the group.
    """

    def __init__(
        self,
        work: Callable[[list[T]], Awaitable[None]],
        *,
        group_max: int,
        failed: Callable[[list[T]], None] = lambda _: None,
    ) -> None:
        self._work = work
        self._failed = failed
        self._group_max = group_max
        self._items: deque[T] = deque()
        self._filled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item; how many may wait is the caller's to bound."""
        if not self._items:
            self._filled.set()
            self._idle.clear()
        self._items.append(item)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._filled.wait()
            group = self._group()
            try:
                await self._work(group)
            except Exception:  # noqa: BLE001 - the outermost loop
                _log.exception("group_failed", extra={"items": len(group)})
                self._failed(group)
            if self._items:
                # Lets callbacks of the group's answers run before the next group, which then is as full as it can be.
                await asyncio.sleep(0)
            else:
                self._filled.clear()
                self._idle.set()

    async def idle(self) -> None:
        """Return when nothing waits and nothing is in work."""
        await self._idle.wait()

    def _group(self) -> list[T]:
        items = self._items
        if len(items) <= self._group_max:
            group = list(items)
            items.clear()
            return group
        return [items.popleft() for _ in range(self._group_max)]
