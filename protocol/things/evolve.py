"""The next state of a thing after an event: the other half of ``decide``, used by commands and projections alike.

Total: it knows every action at every path and never fails on an event that was decided once, whatever happened to the
rules since then.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from protocol import sizes
from protocol.documents import document_after
from protocol.identifiers import PolicyId, ThingId
from protocol.json import JsonObject, Missing
from protocol.signals import Event
from protocol.things.metadata import changed_metadata
from protocol.things.state import ThingState, policy_of

_SMALLEST = 2 * 256 + 40
"""More than a document that holds nothing but the two ids takes in print."""


def evolve(state: ThingState | None, event: Event, *, revision: int, timestamp: datetime) -> ThingState:
    """The state after ``event``, which got ``revision`` and was recorded at ``timestamp``."""
    thing_id = state.thing_id if state is not None else ThingId(event.entity_id)
    before: JsonObject = state.document if state is not None else {"thingId": thing_id}
    deleted = event.action == "deleted" and not event.path
    document = _tombstone(before) if deleted else document_after(before, event)
    return ThingState(
        thing_id=thing_id,
        policy_id=_policy_after(state, document),
        document=document,
        revision=revision,
        created=timestamp if state is None or state.deleted else state.created,
        modified=timestamp,
        size=sizes.updated_bound(document, size_after(state, event)),
        deleted=deleted,
        metadata=metadata_after(state, event, document),
    )


def _policy_after(state: ThingState | None, document: JsonObject) -> PolicyId | None:
    """The policy that the document names, which is the same object for as long as it is the same policy."""
    if state is not None and state.policy_id == document.get("policyId"):
        return state.policy_id
    return policy_of(document)


def metadata_after(state: ThingState | None, event: Event, document: JsonObject) -> JsonObject:
    """The metadata after the event, which made ``document`` of the thing."""
    if state is None or state.deleted:
        return changed_metadata({}, {}, document, event.metadata)
    if not state.metadata and event.metadata is None:
        return state.metadata
    if event.action == "deleted" and not event.path:
        return {}
    return changed_metadata(state.metadata, state.document, document, event.metadata)


def size_after(state: ThingState | None, event: Event) -> int:
    """An upper bound of the printed length that the event leads to."""
    before = state.size if state is not None else _SMALLEST
    if event.action == "deleted":
        return before if event.path else min(before, _SMALLEST)
    if isinstance(event.value, Missing):
        return before
    length = sizes.printed_bytes(event.value) if event.printed is None else len(event.printed)
    if event.path:
        return before + sizes.growth_bound(event.path, length)
    match event.action:
        case "created" | "modified":
            return length
        case "merged":
            return before + length
        case _:
            assert_never(event.action)


def _tombstone(before: JsonObject) -> JsonObject:
    return {key: before[key] for key in ("thingId", "policyId") if key in before}
