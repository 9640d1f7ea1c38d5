"""An append whose outcome is always known in the end, or honestly said to be unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from eventstore.errors import AppendUnknown, StoreUnavailable
from eventstore.events import Appended, Commit, Conflict, NewEvent, RecordedEvent, StreamAppend
from eventstore.store import Decide, EventStore
from services.commanding.errors import OutcomeUnknown, StoreDown

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.5


class Appender:
    """Appends groups and finds out what became of an append whose answer was lost.

    A lost append is tried again with the same expected revisions. That is exact, since the store checks them under the
    lock that orders all appends: if the lost one arrived, the second is refused as stale or repeated; if the second
    arrives first, the lost one can no longer succeed. A refusal that follows a loss has two explanations, though: the
    lost append itself, or somebody else's. The log tells which: the very events of the group, recorded at its own
    microsecond or later with its correlation ids and originators, or others.
    """

    def __init__(
        self, store: EventStore, *, store_seconds: float, resolve_seconds: float, doubt: Callable[[StreamAppend], None]
    ) -> None:
        self._store = store
        self._store_seconds = store_seconds
        self._resolve_seconds = resolve_seconds
        self._doubt = doubt

    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        """Append the group or learn who was faster.

        Raises ``StoreDown`` when surely nothing was appended, ``OutcomeUnknown`` when that cannot be found out in time,
        and ``UnstorableEvent`` as the store does.
        """
        return await self._until_known(commits, recorded_at, lost=False)

    async def append_alone(self, decide: Decide, *, recorded_at: datetime) -> Appended | Conflict:
        """Append what ``decide`` comes to while nobody else can; for the rest as ``append``."""
        commits: Sequence[Commit] = ()

        async def decided() -> Sequence[Commit]:
            nonlocal commits
            commits = await decide()
            return commits

        try:
            async with asyncio.timeout(self._store_seconds):
                return await self._store.append_alone(decided, recorded_at=recorded_at)
        except (StoreUnavailable, TimeoutError) as error:
            if not commits:
                raise StoreDown from error
        return await self._until_known(commits, recorded_at, lost=self._lose(commits))

    async def _until_known(
        self, commits: Sequence[Commit], recorded_at: datetime, *, lost: bool
    ) -> Appended | Conflict:
        pause = FIRST_PAUSE
        until = asyncio.get_running_loop().time() + self._resolve_seconds
        while True:
            try:
                async with asyncio.timeout(self._store_seconds):
                    return await self._once(commits, recorded_at, after_loss=lost)
            except (AppendUnknown, TimeoutError):
                lost = self._lose(commits)
            except StoreUnavailable as error:
                if not lost:
                    raise StoreDown from error
            if asyncio.get_running_loop().time() + pause > until:
                raise OutcomeUnknown
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lose(self, commits: Sequence[Commit]) -> bool:
        for commit in commits:
            for append in commit.appends:
                if append.events:
                    self._doubt(append)
        return True

    async def _once(self, commits: Sequence[Commit], recorded_at: datetime, *, after_loss: bool) -> Appended | Conflict:
        outcome = await self._store.append(commits, recorded_at=recorded_at)
        if after_loss and isinstance(outcome, Conflict):
            return await self._arrived(commits, recorded_at) or outcome
        return outcome

    async def _arrived(self, commits: Sequence[Commit], recorded_at: datetime) -> Appended | None:
        """The group as the log has it; one transaction, so the first append tells for all."""
        events: list[RecordedEvent] = []
        for commit in commits:
            for append in commit.appends:
                if append.events:
                    found = await self._found(append, recorded_at)
                    if found is None:
                        return None
                    events.extend(found)
        return Appended(events=tuple(events))

    async def _found(self, append: StreamAppend, recorded_at: datetime) -> list[RecordedEvent] | None:
        found = await self._store.read_stream(
            append.stream,
            after_revision=append.expected_revision,
            to_revision=append.expected_revision + len(append.events),
        )
        if len(found) != len(append.events):
            return None
        same = all(
            _same(new, recorded) and recorded.recorded_at >= recorded_at
            for new, recorded in zip(append.events, found, strict=True)
        )
        return found if same else None


def _same(new: NewEvent, recorded: RecordedEvent) -> bool:
    return (new.type, new.path, new.value, new.headers) == (
        recorded.type,
        recorded.path,
        recorded.value,
        recorded.headers,
    )
