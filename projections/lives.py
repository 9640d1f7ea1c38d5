"""Whole lives of entities: everything that their streams say, followed once for all the read models that ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from eventstore.events import RecordedEvent, StreamName
from projections.events import EntityState, first_state, followed, freeze
from projections.grouping import ENTITIES, namespace_of
from protocol.json import JsonObject, parse
from protocol.things.state import ThingState

TURNS: Final = {"created": 1, "deleted": -1}
"""What an event at the root does to the number of entities."""

_DEPTH: Final = 1_000
_stream_of = attrgetter("stream")


@dataclass(slots=True, kw_only=True)
class Life:
    """What became of one entity; times as recorded.

    ``entities`` is 1 while it exists and 0 after it is gone, ``created`` when it was created last, ``began`` when the
    stream begins. State and its bytes are made when they are first asked for.
    """

    stream: StreamName
    revision: int = 0
    position: int = 0
    began: datetime
    created: datetime
    modified: datetime
    gone: bool = False
    entities: int = 0
    _state: EntityState | None = None
    _pending: list[RecordedEvent] = field(default_factory=list)
    _frozen: bytes | None = None

    @property
    def namespace(self) -> str:
        """The namespace of the entity."""
        return namespace_of(self.stream)

    @property
    def state(self) -> EntityState:
        """The state that the events lead to."""
        if self._pending:
            self._state, self._pending = followed(self._state, self._pending), []
        assert self._state is not None  # noqa: S101 - a life has an event at least
        return self._state

    @property
    def frozen(self) -> bytes:
        """The state as rows keep it."""
        if self._frozen is None:
            verbatim = self._verbatim
            self._frozen = freeze(self.state) if verbatim is None else verbatim
        return self._frozen

    @property
    def document(self) -> JsonObject:
        """The document of the state."""
        return self.state.document if (said := self._said) is None else said

    @property
    def annotated(self) -> JsonObject:
        """The document with ``_metadata`` beside it, if there is any."""
        state = self.state if (said := self._said) is None else None
        if isinstance(state, ThingState) and state.metadata:
            return {**state.document, "_metadata": state.metadata}
        return self.document if said is None else said

    @property
    def _said(self) -> JsonObject | None:
        """The document, if the only event says it word for word."""
        document = None if (verbatim := self._verbatim) is None else parse(verbatim, max_depth=_DEPTH)
        return document if isinstance(document, dict) else None

    @property
    def _verbatim(self) -> bytes | None:
        """What the only event says of the whole state, word for word."""
        return first_state(self._pending[0]) if self.revision == 1 and self._pending else None

    def go_on(self, events: Sequence[RecordedEvent]) -> None:
        """Add the next events of the stream. Only those last added are kept, however many there are in all."""
        if self._pending:
            self._state = followed(self._state, self._pending)
        self._pending = list(events)
        last = events[-1]
        self.revision, self.position, self.modified = last.revision, last.position, last.recorded_at
        for event in events:
            if event.path == "/" and event.type in TURNS:
                self.entities += TURNS[event.type]
                self.gone = event.type == "deleted"
                self.created = self.created if self.gone else event.recorded_at


class Lives:
    """Makes lives of a log that is read stream by stream. One is complete when the next begins, or the log ends."""

    def __init__(self) -> None:
        self.complete: str | None = None
        """The last stream that is; ``events`` is how many there are up to it."""
        self.events = 0
        self._stream: StreamName | None = None
        self._seen = 0
        self._open: Life | None = None

    def after(self, page: Sequence[RecordedEvent]) -> list[Life]:
        """The lives that are complete after one more page; other streams than those of entities are passed over."""
        ended: list[Life] = []
        for stream, group in groupby(page, _stream_of):
            events = list(group)
            if stream != self._stream:
                ended += self.rest()
                self._stream = stream
            self._seen += len(events)
            if stream.startswith(ENTITIES):
                if self._open is None:
                    at = events[0].recorded_at
                    self._open = Life(stream=stream, began=at, created=at, modified=at)
                self._open.go_on(events)
        return ended

    def rest(self) -> list[Life]:
        """The last one, when no more of its stream follows."""
        ended = [] if self._open is None else [self._open]
        self.complete, self._open = self._stream, None
        self.events += self._seen
        self._seen = 0
        return ended
