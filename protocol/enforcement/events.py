"""What of an event somebody may see: the same answer for every way on which events leave the service.

| the subjects may READ                  | they get                                             |
|----------------------------------------|------------------------------------------------------|
| the path and everything below it       | the event                                            |
| something at or below the path         | the event with what they may see of its value        |
| nothing at or below the path           | nothing                                              |

A value is cut down leaf by leaf at its place in the entity, whatever the path of the event. Deletions say only where,
so they go to whoever may READ the place itself. A ``null`` in a merge deletes what is below it, and is seen by whoever
may see some of that. Source: Ditto documentation, page *basic-policy*, on partial access to events.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.enforcement.enforcer import Enforcer, Subjects
from protocol.enforcement.tree import PermissionTree
from protocol.identifiers import ThingId
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.signals import Event

ALWAYS_VISIBLE = ("thingId", "policyId")
"""The entity's own id, which is visible to whoever sees anything of it: ``policyId`` counts in policies alone."""


def visible_event(event: Event, enforcer: Enforcer | None, subjects: Subjects) -> Event | None:
    """The event as the pooled subjects may see it under the policy that governs the entity; nothing if they may not.

    Without a policy nobody sees anything. The very same event comes back when nothing of it is hidden.
    """
    if enforcer is None:
        return None
    readable = _tree(event, enforcer, subjects)
    if readable.unrestricted(event.path):
        return event
    if isinstance(event.value, Missing):
        return event if readable.allowed(event.path) else None
    if event.action == "merged":
        value = _visible_patch(event.value, readable, event.path)
    else:
        value = readable.visible(event.path, event.value)
    if isinstance(value, Missing):
        return None
    return replace(event, value=_identified(event, value), metadata=None, printed=None)


def _tree(event: Event, enforcer: Enforcer, subjects: Subjects) -> PermissionTree:
    if isinstance(event.entity_id, ThingId):
        return enforcer.thing_tree(subjects, "READ", event.entity_id)
    return enforcer.tree(subjects, "READ", "policy")


def _visible_patch(patch: JsonValue, readable: PermissionTree, path: Pointer) -> JsonValue | Missing:
    """The part of a merge patch that may be seen.

    A value that takes the place of hidden and visible things alike is told as the deletion of what was visible.
    """
    if not readable.partial(path):
        return MISSING
    if isinstance(patch, dict) and patch:
        kept: JsonObject = {}
        for key, member in patch.items():
            seen = _visible_patch(member, readable, (*path, key))
            if not isinstance(seen, Missing):
                kept[key] = seen
        return kept or MISSING
    seen = readable.visible(path, patch)
    if isinstance(patch, dict) or not isinstance(seen, Missing):
        return seen
    return None if readable.allowed(path) else dict.fromkeys(readable.granted_below(path))


def _identified(event: Event, value: JsonValue) -> JsonValue:
    """The visible value; at the root with the id of the entity if the event told it."""
    told = event.value
    name = ALWAYS_VISIBLE[0] if isinstance(event.entity_id, ThingId) else ALWAYS_VISIBLE[1]
    if event.path or not isinstance(value, dict) or not isinstance(told, dict) or name not in told:
        return value
    return {name: told[name], **value}
