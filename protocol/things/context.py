"""What a decision about a thing is made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from protocol.identifiers import PolicyId, ThingId
from protocol.policies.state import PolicyState
from protocol.things.state import ThingState


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
