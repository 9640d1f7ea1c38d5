"""What a thing is at one moment: the state that commands are decided on and that events lead to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingState:
    """A thing after its event number ``revision``.

    ``document`` holds thingId, policyId, definition, attributes and features and is never changed in place; states
    share what did not change. ``size`` is an upper bound of its printed length in characters (see ``protocol.sizes``).
    A deleted thing leaves a tombstone: ``deleted`` is set, the document keeps the two ids and the revision counts on
    when the thing is created again.
    """

    thing_id: ThingId
    document: JsonObject
    revision: int
    created: datetime
    modified: datetime
    size: int
    deleted: bool = False
    metadata: JsonObject = field(default_factory=dict)

    @property
    def policy_id(self) -> PolicyId | None:
        """The policy that governs the thing; none for a thing that was recorded without one."""
        policy_id = self.document.get("policyId")
        return PolicyId(policy_id) if isinstance(policy_id, str) else None


def living(state: ThingState | None) -> ThingState | None:
    """The state of a thing that exists; a tombstone counts as nothing."""
    return None if state is None or state.deleted else state
