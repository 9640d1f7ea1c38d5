"""The document of an entity, a thing or a policy, after an event. What the event does not touch is shared."""

from __future__ import annotations

from typing import assert_never

from protocol.json import JsonObject, JsonValue, Missing
from protocol.merge_patch import apply, at
from protocol.pointers import assign, remove
from protocol.signals import Event


def document_after(before: JsonObject, event: Event) -> JsonObject:
    """The document after an event other than the entity's deletion; the document ``before`` is not changed in place.

    Total: what came out is no document, or the event has no value, and the document stays as it was.
    """
    after: JsonValue | Missing
    match event.action:
        case "created" | "modified":
            after = before if isinstance(event.value, Missing) else assign(before, event.path, event.value)
        case "merged":
            after = before if isinstance(event.value, Missing) else apply(before, at(event.path, event.value))
        case "deleted":
            after = remove(before, event.path)
        case _:
            assert_never(event.action)
    return after if isinstance(after, dict) else before
