"""The event store as its users see it; ``eventstore.postgres`` is the real one, ``eventstore.memory`` the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from eventstore.events import Appended, Commit, Conflict, RecordedEvent, StreamName


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events of the log to read. Every bound is optional; together they all hold.

    ``prefixes`` are stream name prefixes (``thing:farm.one:``), ``types`` event types, ``from_time`` and ``to_time``
    recorded times (inclusive, exclusive), ``after_position`` is exclusive, ``to_position`` inclusive.
    """

    after_position: int = 0
    to_position: int | None = None
    from_time: datetime | None = None
    to_time: datetime | None = None
    stream: StreamName | None = None
    prefixes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


EVERYTHING = Selection()

Decide: TypeAlias = Callable[[], Awaitable[Sequence[Commit]]]
"""Reads what it has to know, and answers what is to be appended, or nothing."""


class EventStore(Protocol):
    """Append, read, subscribe."""

    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        """Append the group in one transaction or refuse it whole; durable on return.

        A group that contradicts itself (``eventstore.group.plan``) is refused before anything else is looked at. A
        later commit of the group may build on the revisions that an earlier one leaves. The recorded time never runs
        backwards in the log: an earlier ``recorded_at`` is raised to that of the last event.
        """
        ...

    async def append_alone(self, decide: Decide, *, recorded_at: datetime) -> Appended | Conflict:
        """Append what ``decide`` comes to, while nobody else can append anything, in any process.

        Whatever ``decide`` reads is still true when its commits arrive, so they are never stale. For who was overtaken
        again and again: everybody waits meanwhile, thus it must be quick, and must not append by another call.
        """
        ...

    async def read_stream(
        self, stream: StreamName, *, after_revision: int = 0, to_revision: int | None = None
    ) -> list[RecordedEvent]:
        """Events of one stream in order of revision; empty for an unknown stream."""
        ...

    def read(
        self, selection: Selection = EVERYTHING, *, backwards: bool = False, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Selected events in pages, in log order or against it, up to the head at the time of the call."""
        ...

    def read_by_stream(
        self, *, to_position: int, after_stream: str = "", page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Events up to a position, stream by stream in bytewise order of their names, in pages that cut streams.

        ``after_stream`` leaves out every stream up to and with this one. For readers who want each entity once and
        whole; where the log is larger than memory this order costs the database a read from the disk per event.
        """
        ...

    def subscribe(
        self, selection: Selection = EVERYTHING, *, page_size: int = 1_000
    ) -> AsyncIterator[Sequence[RecordedEvent]]:
        """Catch up, then follow live, for ever: no gap and no repeat at the seam.

        Yields non-empty batches. The reader's place is ``batch[-1].position``.
        """
        ...

    async def find_command(self, stream: StreamName, command_id: str) -> RecordedEvent | None:
        """The event that the command with this id caused in this stream, if it did."""
        ...

    async def head(self) -> int:
        """The position of the last event that can be read; 0 for an empty log."""
        ...
