"""The loop behind group commit: while one group is in work, the next one gathers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lane(Generic[T]):
    """Items in order, worked off in groups, one group at a time.

    An item that comes to an idle lane is a group of its own at once: there is no waiting for company. Items that come
    while a group is in work make up the next one, so groups grow with the load and their cost per item falls.
    ``work`` must answer its items itself and must not fail; if it does, ``run`` fails with it.
    """

    def __init__(self, work: Callable[[list[T]], Awaitable[None]], *, group_max: int) -> None:
        self._work = work
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
            await self._work(self._group())
            if self._items:
                # Lets callbacks of the group's answers run before the next group, which then is as full as it can be.
                await asyncio.sleep(0)
            else:
                self._filled.clear()
                self._idle.set()

    async def idle(self) -> None:
        """Return when nothing waits and nothing is in work."""
        await self._idle.wait()

    def clear(self) -> list[T]:
        """Take away everything that waits and is not in work yet."""
        left = list(self._items)
        self._items.clear()
        return left

    def _group(self) -> list[T]:
        items = self._items
        if len(items) <= self._group_max:
            group = list(items)
            items.clear()
            return group
        return [items.popleft() for _ in range(self._group_max)]
