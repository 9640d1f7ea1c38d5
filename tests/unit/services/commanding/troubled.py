"""An event store with scripted trouble in front of another one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from typing_extensions import override

from eventstore.errors import AppendUnknown, StoreUnavailable, UnstorableEvent
from eventstore.events import Appended, Commit, Conflict, RecordedEvent, StreamName
from eventstore.memory import InMemoryEventStore
from projections.twins import InMemoryTwins, Loaded

Trouble: TypeAlias = Literal["down", "lost before", "lost after", "unstorable"]


class TroubledStore(InMemoryEventStore):
    """Appends wait at ``gate``; each takes the next trouble off ``troubles``. ``groups`` are the sizes of all tries."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.troubles: deque[Trouble] = deque()
        self.groups: list[int] = []
        self.waiting = 0

    @override
    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        self.groups.append(len(commits))
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        match self.troubles.popleft() if self.troubles else None:
            case "down":
                raise StoreUnavailable("down")
            case "lost before":
                raise AppendUnknown("lost")
            case "lost after":
                await super().append(commits, recorded_at=recorded_at)
                raise AppendUnknown("lost")
            case "unstorable":
                raise UnstorableEvent("cannot be kept", commit=None)
            case _:
                return await super().append(commits, recorded_at=recorded_at)

    def events(self, stream: str) -> list[RecordedEvent]:
        return self._streams.get(StreamName(stream), [])


class CountedTwins(InMemoryTwins):
    """Counts the loads; ``down`` makes them fail."""

    def __init__(self, store: InMemoryEventStore) -> None:
        super().__init__(store)
        self.loads: list[int] = []
        self.down = False

    @override
    async def load(self, known: Mapping[StreamName, int]) -> dict[StreamName, Loaded]:
        self.loads.append(len(known))
        if self.down:
            raise StoreUnavailable("down")
        return await super().load(known)
