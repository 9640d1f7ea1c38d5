"""What the twins read model answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from eventstore.events import RecordedEvent, StreamName


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of one entity as of ``revision``; ``state`` as ``protocol.stored.store_state`` wrote it."""

    stream: StreamName
    revision: int
    position: int
    created_at: datetime
    modified_at: datetime
    deleted: bool
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Where to start from, and every event after it: together the exact state at the moment of the load.

    ``snapshot`` is ``None`` when a revision was known, or when the read model has no row yet.
    """

    snapshot: Snapshot | None
    tail: tuple[RecordedEvent, ...]


NOTHING = Loaded(snapshot=None, tail=())


class Twins(Protocol):
    """Reads by stream; ``TwinsReader`` is the real one, ``InMemoryTwins`` the fake."""

    async def load(self, known: Mapping[StreamName, int]) -> dict[StreamName, Loaded]:
        """Bring every stream up to date from the revision that is known of it (0: nothing). Has every key asked for."""
        ...

    async def read(self, streams: Iterable[StreamName]) -> dict[StreamName, Snapshot]:
        """The rows of the read model as they stand, tombstones included; it may be some milliseconds behind."""
        ...

    async def list_things(
        self, namespaces: Sequence[str] | None = None, *, after_stream: StreamName | None = None, limit: int = 200
    ) -> list[Snapshot]:
        """Existing things ordered by stream name (bytewise), as they stand in the read model."""
        ...
