"""From what the log holds to what the protocol says: how every projection follows an entity's state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
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

    What the next event overwrites at once is passed over: a value that changes all the time is evolved once a batch.
    """
    for event, following in pairwise(events):
        if not _overwritten(state, event, following):
            state = follow(state, event)
    return follow(state, events[-1])


def _overwritten(state: EntityState | None, event: RecordedEvent, by: RecordedEvent) -> bool:
    """Whether nothing is left of the event after the next one, which sets another value at the same path of a thing.

    Both make way for their value, so the order of members is the same, too. Metadata goes with what it is about: where
    there is some, an object that is gone for one event has lost it, and where an event brings some, it counts. At the
    root, and after a deletion, an event sets more than the value.
    """
    return (
        event.path == by.path != "/"
        and event.type in _SETTING
        and by.type in _SETTING
        and by.value is not None
        and isinstance(state, ThingState)
        and not state.deleted
        and not state.metadata
        and not carries_metadata(event.headers)
    )


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
