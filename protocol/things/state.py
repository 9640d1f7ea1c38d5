"""What a thing is at one moment: the state that commands are decided on and that events lead to."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime

from protocol.identifiers import PolicyId, ThingId
from protocol.immutable import immutable
from protocol.json import JsonObject


@immutable
class ThingState:
    """A thing after its event number ``revision``.

    ``document`` holds thingId, policyId, definition, attributes and features and is never changed in place; states
    share what did not change. ``policy_id`` is the policy that governs the thing, whatever of the document is shown;
    none for a thing that was recorded without one. ``size`` is an upper bound of the document's printed length in
    characters (see ``protocol.sizes``). A deleted thing leaves a tombstone: ``deleted`` is set, the document keeps the
    two ids and the revision counts on when the thing is created again.
    """

    thing_id: ThingId
    policy_id: PolicyId | None
    document: JsonObject
    revision: int
    created: datetime
    modified: datetime
    size: int
    deleted: bool = False
    metadata: JsonObject = field(default_factory=dict)


def policy_of(document: JsonObject) -> PolicyId | None:
    """The policy that a thing's document names."""
    policy_id = document.get("policyId")
    return PolicyId(policy_id) if isinstance(policy_id, str) else None


def existing(state: ThingState | None) -> ThingState | None:
    """The state of a thing that exists; a tombstone counts as nothing."""
    return None if state is None or state.deleted else state
