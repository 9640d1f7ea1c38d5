"""The event store without a database, for tests and trials: the same contract except durability."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from eventstore.events import Appended, Commit, Conflict, RecordedEvent, StreamName
from eventstore.group import check_storable, plan, record, refused
from eventstore.selecting import is_past, matcher
from eventstore.store import EVERYTHING, Decide, Selection


class InMemoryEventStore:
    """An ``EventStore`` for one event loop. Opening and closing it does nothing."""

    def __init__(self) -> None:
        self._log: list[RecordedEvent] = []
        self._streams: dict[StreamName, list[RecordedEvent]] = {}
        self._commands: dict[tuple[StreamName, str], RecordedEvent] = {}
        self._grown = asyncio.Event()
        self._appending = asyncio.Lock()

    async def __aenter__(self) -> InMemoryEventStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        """See ``EventStore.append``."""
        await asyncio.sleep(0)
        async with self._appending:
            return self._append(commits, recorded_at)

    async def append_alone(self, decide: Decide, *, recorded_at: datetime) -> Appended | Conflict:
        """See ``EventStore.append_alone``."""
        async with self._appending:
            return self._append(await decide(), recorded_at)

    def _append(self, commits: Sequence[Commit], recorded_at: datetime) -> Appended | Conflict:
        check_storable(commits)
        if conflict := self._conflict(commits):
            return conflict
        if self._log:
            recorded_at = max(recorded_at, self._log[-1].recorded_at)
        events = record(commits, head=len(self._log), recorded_at=recorded_at)
        self._log.extend(events)
        for event in events:
            self._streams.setdefault(event.stream, []).append(event)
            if event.command_id is not None:
                self._commands[event.stream, event.command_id] = event
        self._grown.set()
        self._grown = asyncio.Event()
        return Appended(events=events)

    def _conflict(self, commits: Sequence[Commit]) -> Conflict | None:
        group = plan(commits)
        if group.broken:
            return Conflict(stale=refused(commits, streams=(), fallen=group.broken), repeated={})
        streams = [name for name, revision in group.expected.items() if len(self._streams.get(name, ())) != revision]
        repeated = {index: self._commands[key] for key, index in group.commands.items() if key in self._commands}
        if not (streams or repeated):
            return None
        fallen = refused(commits, streams=streams, fallen=repeated)
        return Conflict(stale=fallen - repeated.keys(), repeated=repeated)

    async def read_stream(
        self, stream: StreamName, *, after_revision: int = 0, to_revision: int | None = None
    ) -> list[RecordedEvent]:
        """See ``EventStore.read_stream``."""
        await asyncio.sleep(0)
        return self._streams.get(stream, [])[max(after_revision, 0) : to_revision]

    async def read(
        self, selection: Selection = EVERYTHING, *, backwards: bool = False, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.read``."""
        await asyncio.sleep(0)
        belongs = matcher(selection)
        selected = [
            event for event in self._log[max(selection.after_position, 0) : selection.to_position] if belongs(event)
        ]
        if backwards:
            selected.reverse()
        for start in range(0, len(selected), page_size):
            yield selected[start : start + page_size]

    async def read_by_stream(
        self, *, to_position: int, after_stream: str = "", page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.read_by_stream``."""
        await asyncio.sleep(0)
        streams = sorted((name for name in self._streams if name > after_stream), key=str.encode)
        selected = [event for name in streams for event in self._streams[name] if event.position <= to_position]
        for start in range(0, len(selected), page_size):
            yield selected[start : start + page_size]

    async def subscribe(
        self, selection: Selection = EVERYTHING, *, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """See ``EventStore.subscribe``."""
        belongs = matcher(selection)
        place = max(selection.after_position, 0)
        while selection.to_position is None or place < selection.to_position:
            grown = self._grown
            page = self._log[place : _end(selection, place + page_size)]
            if not page:
                await grown.wait()
                continue
            if batch := [event for event in page if belongs(event)]:
                yield batch
            place = page[-1].position
            if is_past(selection, page[-1]):
                return

    async def find_command(self, stream: StreamName, command_id: str) -> RecordedEvent | None:
        """See ``EventStore.find_command``."""
        await asyncio.sleep(0)
        return self._commands.get((stream, command_id))

    async def head(self) -> int:
        """See ``EventStore.head``."""
        await asyncio.sleep(0)
        return len(self._log)


def _end(selection: Selection, position: int) -> int:
    return position if selection.to_position is None else min(position, selection.to_position)


class InMemorySoleWriter:
    """A lease that a test holds and gives up by hand; see ``eventstore.sole_writer.SoleWriter``."""

    def __init__(self, *, held: bool = False) -> None:
        self._held = held
        self._epoch = 1 if held else 0

    @property
    def epoch(self) -> int:
        """Changes whenever trust starts anew."""
        return self._epoch

    def holds(self) -> bool:
        """Whether cached states may be trusted at this moment."""
        return self._held

    def take(self) -> None:
        """Trust from now on, in a new epoch."""
        self._held = True
        self._epoch += 1

    def give_up(self) -> None:
        """Trust no more."""
        self._held = False

    async def run(self) -> None:
        """Nothing to keep alive: waits until cancelled."""
        await asyncio.Event().wait()
