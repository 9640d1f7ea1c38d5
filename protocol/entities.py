"""Things and policies alike: for code that follows events and answers commands whatever entity they belong to."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from protocol.decision import Decision
from protocol.identifiers import PolicyId
from protocol.policies import views as policy_views
from protocol.policies.evolve import evolve_policy
from protocol.policies.state import PolicyState
from protocol.signals import Event, Response
from protocol.things import views as thing_views
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


def respond(decision: Decision, state: EntityState, *, position: int | None = None) -> Response:
    """The response to a decision that has become true; ``state`` is the entity after it, ``position`` its event's."""
    headers = dict(decision.headers)
    headers["entity-revision"] = state.revision
    if decision.tag != "none":
        path = decision.path if decision.tag == "value" else ()
        tag = policy_views.etag(state, path) if isinstance(state, PolicyState) else thing_views.etag(state, path)
        if tag is not None:
            headers["etag"] = tag
    return Response(
        entity_id=decision.entity_id,
        verb=decision.verb,
        path=decision.path,
        status=decision.status,
        value=decision.value,
        headers=headers,
        position=position,
    )
