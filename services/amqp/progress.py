"""How far publishing has come: what is in flight, and the position up to which everything is confirmed."""

from __future__ import annotations

import asyncio
from collections import deque


class Progress:
    """Events are sent in order, each under a tag that counts up; confirms come in any order.

    ``confirmed`` is the position up to which every event was confirmed or needed no publishing: the only one that may
    become the checkpoint.
    """

    def __init__(self, position: int, *, limit: int) -> None:
        self.confirmed = position
        self.events = 0
        self._limit = limit
        self._sent: deque[tuple[int, int]] = deque()
        self._ahead: set[int] = set()
        self._room = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Events sent and not yet part of the confirmed beginning."""
        return len(self._sent)

    async def room(self) -> None:
        """Return as soon as fewer than ``limit`` events are in flight."""
        while len(self._sent) >= self._limit:
            self._room.clear()
            await self._room.wait()

    async def moved(self) -> int:
        """Wait until ``confirmed`` has moved since the last call, and return it."""
        await self._moved.wait()
        self._moved.clear()
        return self.confirmed

    def sent(self, tag: int, position: int) -> None:
        """The event at ``position`` was sent under ``tag``."""
        self._sent.append((tag, position))

    def skipped(self, position: int) -> None:
        """The event at ``position`` is not published; it counts as soon as all before it do."""
        if self._sent:
            self._sent[-1] = (self._sent[-1][0], position)
        else:
            self._confirm(position)

    def settled(self, tag: int, *, multiple: bool) -> None:
        """The broker confirmed ``tag``, or everything up to it."""
        sent, ahead = self._sent, self._ahead
        bulk = tag if multiple else 0
        if not multiple:
            ahead.add(tag)
        position = 0
        while sent and (sent[0][0] <= bulk or sent[0][0] in ahead):
            first, position = sent.popleft()
            ahead.discard(first)
            self.events += 1
        if position:
            self._confirm(position)

    def _confirm(self, position: int) -> None:
        self.confirmed = position
        self._moved.set()
        self._room.set()
