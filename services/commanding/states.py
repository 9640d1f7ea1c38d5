"""States kept in memory, the unused dropped first, each with the epoch in which it was known to be current."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import orjson

from eventstore.events import StreamName
from protocol.json import JsonObject

NO_EPOCH: Final = -1
"""The epoch of a state that has to be compared with the log before anything is concluded from it."""

OVERHEAD_BYTES: Final = 700
"""About what an entry costs beside its document: keys, state, table entries."""

BYTES_PER_CHARACTER: Final = 7
"""What a character of JSON costs as Python objects when values are small (7.0 measured); long texts cost about 1."""


class Sized(Protocol):
    """What the cache must know of a state."""

    @property
    def revision(self) -> int:
        """The revision of the event that led to it."""
        ...

    @property
    def document(self) -> JsonObject:
        """Its content."""
        ...


WEIGHED_EVERY: Final = 32
"""Printing a document to weigh it costs more than to keep it, so a state that changes is weighed now and then."""

S = TypeVar("S", bound=Sized)


def characters(document: JsonObject) -> int:
    """How long a document is as JSON."""
    return len(orjson.dumps(document))


@dataclass(slots=True)
class Kept(Generic[S]):
    """A state in memory. ``epoch`` is that of the sole writer's lease under which it was verified.

    ``used``: asked for since it was last looked at as the one to drop.
    """

    state: S
    epoch: int
    weight: int
    puts: int = 0
    used: bool = False


class StateCache(Generic[S]):
    """The latest known states by stream, bounded by number and by bytes. A state is never replaced by an older one.

    That is what makes it safe to be filled by a load and by an append at once: both tell the truth about a revision,
    and the higher one is the later truth.

    What to drop is found as by the CLOCK algorithm of page replacement: in order of arrival, with a second chance for
    what was used meanwhile. Strict order of use would cost each read of a state the memory of its two neighbours.
    """

    def __init__(
        self, *, max_entries: int, max_bytes: int, characters: Callable[[JsonObject], int] = characters
    ) -> None:
        """``characters`` tells how much of a document there is to keep."""
        self._characters = characters
        self._kept: OrderedDict[StreamName, Kept[S]] = OrderedDict()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def weight(self) -> int:
        """About the bytes that the states take."""
        return self._bytes

    def get(self, stream: StreamName) -> Kept[S] | None:
        """The state kept for the stream, which is hereby used."""
        kept = self._kept.get(stream)
        if kept is not None:
            kept.used = True
        return kept

    def put(self, stream: StreamName, state: S, epoch: int) -> None:
        """Keep a state unless a later one is kept already."""
        kept = self._kept.get(stream)
        if kept is None:
            kept = self._kept[stream] = Kept(state, epoch, 0)
            self._weigh(kept)
        elif state.revision >= kept.state.revision:
            kept.state, kept.epoch, kept.used = state, epoch, True
            kept.puts += 1
            if kept.puts % WEIGHED_EVERY == 0:
                self._weigh(kept)
        while self._kept and (len(self._kept) > self._max_entries or self._bytes > self._max_bytes):
            self._drop_one()

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._bytes = 0

    def _drop_one(self) -> None:
        stream, kept = self._kept.popitem(last=False)
        while kept.used:
            kept.used = False
            self._kept[stream] = kept
            stream, kept = self._kept.popitem(last=False)
        self._bytes -= kept.weight

    def _weigh(self, kept: Kept[S]) -> None:
        weight = OVERHEAD_BYTES + BYTES_PER_CHARACTER * self._characters(kept.state.document)
        self._bytes += weight - kept.weight
        kept.weight = weight
