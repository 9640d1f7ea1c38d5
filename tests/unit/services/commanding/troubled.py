"""An event store with scripted trouble in front of another one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from typing_extensions import override

from eventstore.errors import AppendUnknown, StoreUnavailable, UnstorableEvent
from eventstore.events import Appended, Commit, Conflict, NewEvent, RecordedEvent, StreamAppend, StreamName
from eventstore.memory import InMemoryEventStore
from eventstore.store import Decide
from projections.twins import InMemoryTwins, Loaded

Trouble: TypeAlias = Literal["down", "lost before", "lost after", "unstorable"]


class TroubledStore(InMemoryEventStore):
    """Appends wait at ``gate``; each takes the next trouble off ``troubles``.

    ``groups`` are the sizes of all tries beside others, ``alone`` counts those without.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.troubles: deque[Trouble] = deque()
        self.groups: list[int] = []
        self.waiting = 0
        self.alone = 0

    @override
    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        self.groups.append(len(commits))
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        trouble = self._trouble()
        outcome = await super().append(commits, recorded_at=recorded_at)
        return _answered(outcome, trouble)

    @override
    async def append_alone(self, decide: Decide, *, recorded_at: datetime) -> Appended | Conflict:
        self.alone += 1
        trouble: Trouble | None = None

        async def decided() -> Sequence[Commit]:
            nonlocal trouble
            commits = await decide()
            trouble = self._trouble()
            return commits

        outcome = await super().append_alone(decided, recorded_at=recorded_at)
        return _answered(outcome, trouble)

    def _trouble(self) -> Trouble | None:
        """The next trouble, raised if it comes before anything is appended."""
        trouble = self.troubles.popleft() if self.troubles else None
        match trouble:
            case "down":
                raise StoreUnavailable("down")
            case "lost before":
                raise AppendUnknown("lost")
            case "unstorable":
                raise UnstorableEvent("cannot be kept", commit=None)
            case _:
                return trouble

    def events(self, stream: str) -> list[RecordedEvent]:
        return self._streams.get(StreamName(stream), [])


def _answered(outcome: Appended | Conflict, trouble: Trouble | None) -> Appended | Conflict:
    if trouble == "lost after":
        raise AppendUnknown("lost")
    return outcome


class RivalledStore(TroubledStore):
    """While ``rivalled``, somebody else appends to the same streams before each append that they are not kept from."""

    rivalled = False

    @override
    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        if self.rivalled:
            event = NewEvent(type="modified", path="/attributes/rival", value=b"1", headers=b"{}")
            for stream in {append.stream for commit in commits for append in commit.appends}:
                theirs = StreamAppend(stream=stream, expected_revision=len(self.events(stream)), events=(event,))
                await InMemoryEventStore.append(self, [Commit(appends=(theirs,))], recorded_at=recorded_at)
        return await super().append(commits, recorded_at=recorded_at)


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
