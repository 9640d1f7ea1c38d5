"""A bounded memory: of entity states, so that a busy entity is not read back for every batch, and of statements."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

S = TypeVar("S")


class BoundedCache(Generic[S]):
    """The most recently used states, as many as fit: the bound counts the size of their stored form in bytes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._entries: OrderedDict[Hashable, tuple[S, int]] = OrderedDict()

    def get(self, key: Hashable) -> S | None:
        """The state if it is remembered; it counts as used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, state: S, size: int) -> None:
        """Remember a state; the least recently used ones go when room is short."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._size -= before[1]
        self._entries[key] = (state, size)
        self._size += size
        while self._size > self._capacity:
            self._size -= self._entries.popitem(last=False)[1][1]

    def drop(self, key: Hashable) -> None:
        """Forget one state."""
        before = self._entries.pop(key, None)
        if before is not None:
            self._size -= before[1]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)
