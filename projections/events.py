"""From what the log holds to what the protocol says: how every projection follows an entity's state."""

from __future__ import annotations

from datetime import datetime

from eventstore.events import RecordedEvent, StreamName
from protocol.entities import EntityState
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.stored import restore_event, restore_state, store_state
from protocol.things.evolve import evolve
from protocol.things.state import ThingState

__all__ = ["EntityState", "follow", "freeze", "thaw"]

freeze = store_state
"""The state as bytes for a ``json`` column; the columns beside it hold revision, times and the mark of deletion."""


def follow(state: EntityState | None, recorded: RecordedEvent) -> EntityState:
    """The state of a thing or policy after one more event of its stream."""
    event = restore_event(recorded.stream, recorded.type, recorded.path, recorded.value)
    revision, timestamp = recorded.revision, recorded.recorded_at
    if recorded.stream.startswith("policy:"):
        before = state if isinstance(state, PolicyState) else None
        return evolve_policy(before, event, revision=revision, timestamp=timestamp)
    thing = state if isinstance(state, ThingState) else None
    return evolve(thing, event, revision=revision, timestamp=timestamp)


def thaw(
    *,
    stream: StreamName,
    revision: int,
    created_at: datetime,
    modified_at: datetime,
    deleted: bool,
    state: bytes,
    position: int | None = None,  # noqa: ARG001  (so that a row can be handed over as it is)
) -> EntityState:
    """The state that a row of ``twins`` holds."""
    return restore_state(stream, state, revision=revision, created=created_at, modified=modified_at, deleted=deleted)
