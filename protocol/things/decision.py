"""What a decision is made with, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from protocol.identifiers import PolicyId, ThingId
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.policies.state import PolicyState
from protocol.signals import Event, Headers, Response, Verb
from protocol.things import views
from protocol.things.state import ThingState

Tag: TypeAlias = Literal["revision", "value", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large things may become: characters in print, and nested objects and arrays counted from the root."""

    thing_characters: int = 102_400
    policy_characters: int = 102_400
    depth: int = 64


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a decision may know beside the command and the thing.

    ``subjects`` are the authenticated ones, the first being the default subject. ``policies`` and ``things`` hold what
    ``entities_needed`` asked for, with ``None`` for what does not exist.
    """

    now: datetime
    subjects: tuple[str, ...]
    policies: Mapping[PolicyId, PolicyState | None] = field(default_factory=dict)
    things: Mapping[ThingId, ThingState | None] = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a command and the events that make it true.

    ``events`` lists the thing's event first; a policy created with it comes second, and both are appended together or
    not at all. ``verb`` differs from the command's when a modify or merge created the thing. ``tag`` says which entity
    tag the response carries.
    """

    thing_id: ThingId
    verb: Verb
    path: Pointer
    status: int
    events: tuple[Event, ...] = ()
    value: JsonValue | Missing = MISSING
    tag: Tag = "none"
    headers: Headers = field(default_factory=dict)


def respond(decision: Decision, state: ThingState, *, position: int | None = None) -> Response:
    """The response to a decision that has become true; ``state`` is the thing after it, ``position`` its event's."""
    headers = dict(decision.headers)
    headers["entity-revision"] = state.revision
    if decision.tag != "none":
        tag = views.etag(state, decision.path if decision.tag == "value" else ())
        if tag is not None:
            headers["etag"] = tag
    return Response(
        entity_id=decision.thing_id,
        verb=decision.verb,
        path=decision.path,
        status=decision.status,
        value=decision.value,
        headers=headers,
        position=position,
    )
