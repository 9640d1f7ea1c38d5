"""From what the log holds to what the protocol says: how every projection follows an entity's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from eventstore.events import RecordedEvent, StreamName
from protocol.entities import EntityState
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.stored import carries_metadata, restore_event, restore_state, store_state
from protocol.things.evolve import evolve
from protocol.things.state import ThingState

__all__ = ["EntityState", "first_state", "follow", "followed", "freeze", "thaw"]

_SETTING: Final = ("modified", "created")

freeze = store_state
"""The state as bytes for a ``json`` column; the columns beside it hold revision, times and the mark of deletion."""


def follow(state: EntityState | None, recorded: RecordedEvent) -> EntityState:
    """The state of a thing or policy after one more event of its stream."""
    event = restore_event(recorded.stream, recorded.type, recorded.path, recorded.value, recorded.headers)
    revision, timestamp = recorded.revision, recorded.recorded_at
    if recorded.stream.startswith("policy:"):
        before = state if isinstance(state, PolicyState) else None
        return evolve_policy(before, event, revision=revision, timestamp=timestamp)
    thing = state if isinstance(state, ThingState) else None
    return evolve(thing, event, revision=revision, timestamp=timestamp)


def followed(state: EntityState | None, events: Sequence[RecordedEvent]) -> EntityState:
    """The state after some events of one stream, in order and one at least.

    What later events overwrite is passed over: values that change all the time are evolved once a batch.
    """
    settings = _Settings()
    for event in events:
        if not settings.take(event):
            state = settings.applied(state)
            settings = _Settings()
            if not settings.take(event):
                state = follow(state, event)
    state = settings.applied(state)
    assert state is not None  # noqa: S101 - there is one event at least
    return state


class _Settings:
    """Events in a row that each set the value at a path of a thing, paths of which none lies within another.

    Such events make way for their values, and one does not see what another has done. So of each path the last value
    counts, in the place of the first: there a new member stands among the others. Metadata goes with what it is about:
    where there is some, an object that is gone for one event has lost it, and where an event brings some, it counts.
    At the root, and after a deletion, an event sets more than a value.
    """

    __slots__ = ("_above", "_events", "_last")

    def __init__(self) -> None:
        self._events: list[RecordedEvent] = []
        self._last: dict[str, RecordedEvent] = {}
        self._above: set[str] = set()

    def take(self, event: RecordedEvent) -> bool:
        """Whether the event goes with those that were taken."""
        path = event.path
        if event.type not in _SETTING or event.value is None or path == "/" or carries_metadata(event.headers):
            return False
        if path not in self._last:
            above = _above(path)
            if path in self._above or not self._last.keys().isdisjoint(above):
                return False
            self._above.update(above)
        self._last[path] = event
        self._events.append(event)
        return True

    def applied(self, state: EntityState | None) -> EntityState | None:
        """The state after all of them."""
        events = self._events
        if not isinstance(state, ThingState) or state.deleted or state.metadata or len(events) == len(self._last):
            for event in events:
                state = follow(state, event)
            return state
        for event in self._last.values():
            state = follow(state, event)
        assert state is not None  # noqa: S101 - it was a thing's
        return replace(state, revision=events[-1].revision, modified=events[-1].recorded_at)


@lru_cache(maxsize=4_096)
def _above(path: str) -> tuple[str, ...]:
    """The paths that this one lies within, but for the root."""
    return tuple(path[:end] for end, mark in enumerate(path) if mark == "/" and end)


def first_state(recorded: RecordedEvent) -> bytes | None:
    """What ``freeze`` would make of the state after a stream's first event, where the event says it word for word.

    Most things of a fleet are created once and change rarely; a replay need not parse and print each of them.
    """
    creates = recorded.type == "created" and recorded.path == "/" and recorded.revision == 1
    return recorded.value if creates and not carries_metadata(recorded.headers) else None


class Frozen(Protocol):
    """A state as it is kept: bytes and what stands beside them."""

    @property
    def stream(self) -> StreamName: ...
    @property
    def revision(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def modified_at(self) -> datetime: ...
    @property
    def deleted(self) -> bool: ...
    @property
    def state(self) -> bytes: ...


def thaw(frozen: Frozen) -> EntityState:
    """The state that a row or snapshot of ``twins`` holds."""
    return restore_state(
        frozen.stream,
        frozen.state,
        revision=frozen.revision,
        created=frozen.created_at,
        modified=frozen.modified_at,
        deleted=frozen.deleted,
    )
