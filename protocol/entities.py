"""Things and policies alike: for code that follows events whatever entity they belong to."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from protocol.identifiers import PolicyId
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Event
from protocol.things.evolve import evolve
from protocol.things.state import ThingState

EntityState: TypeAlias = ThingState | PolicyState


def evolve_entity(state: EntityState | None, event: Event, *, revision: int, timestamp: datetime) -> EntityState:
    """The state of the event's entity after it; ``state`` must be that of the same entity."""
    if isinstance(event.entity_id, PolicyId):
        policy = state if isinstance(state, PolicyState) else None
        return evolve_policy(policy, event, revision=revision, timestamp=timestamp)
    thing = state if isinstance(state, ThingState) else None
    return evolve(thing, event, revision=revision, timestamp=timestamp)
