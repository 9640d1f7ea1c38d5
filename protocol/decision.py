"""What a decision says: the answer to a command, and the events that make it true."""

from __future__ import annotations

from dataclasses import field
from typing import Literal, TypeAlias

from protocol.identifiers import EntityId
from protocol.immutable import immutable
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.signals import Event, Headers, Verb

Tag: TypeAlias = Literal["revision", "value", "none"]


@immutable
class Decision:
    """The answer to a command and the events that make it true.

    ``events`` lists the entity's own event first; a policy created with a thing comes second, and both are appended
    together or not at all. ``verb`` differs from the command's when a modify or merge created the entity. ``tag`` says
    which entity tag the response carries.
    """

    entity_id: EntityId
    verb: Verb
    path: Pointer
    status: int
    events: tuple[Event, ...] = ()
    value: JsonValue | Missing = MISSING
    tag: Tag = "none"
    headers: Headers = field(default_factory=dict)
