"""Metadata of a thing: a tree that mirrors the thing, changed by what its events carry."""

from __future__ import annotations

from protocol.json import JsonObject
from protocol.signals import Event
from protocol.things.state import ThingState


def carried_on(state: ThingState | None, event: Event) -> JsonObject:
    """The metadata after the event."""
    if state is None or state.deleted or (not event.path and event.action == "deleted"):
        return {}
    return state.metadata
