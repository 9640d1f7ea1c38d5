"""What a merge may say, and what is left to say of it.

A patch is judged like a value of the resource, except that ``null`` and the markers of regular expressions take away,
and must not take the ids away. Source: Ditto documentation, page *protocol-specification-things-merge*; RFC 7396.
"""

from __future__ import annotations

from protocol import merge_patch
from protocol.errors import (
    JsonFormatInvalid,
    MergeInvalid,
    PreconditionFailed,
    ThingIdNotDeletable,
    ThingIdNotSettable,
    ThingPolicyIdNotDeletable,
)
from protocol.json import JsonValue, Missing, dump, same
from protocol.pointers import check_key, resolve
from protocol.signals import Command
from protocol.things.preconditions import if_equal
from protocol.things.resources import Resource
from protocol.things.state import ThingState


def checked_patch(command: Command, resource: Resource, patch: JsonValue) -> JsonValue:
    """The patch without what Ditto does not keep; raises what a patch that makes an invalid thing is answered with."""
    for key in command.path:
        check_key(key)
    if not command.path:
        _check_root(command, patch)
    elif command.path == ("policyId",) and patch is None:
        raise ThingPolicyIdNotDeletable(command.entity_id)
    marked = _has_markers(command, patch)
    try:
        resource.check(_without_markers(patch) if marked else patch)
    except JsonFormatInvalid as error:
        raise MergeInvalid(error.message) from error
    return resource.known(patch, merge_patch.is_marker) if marked else resource.known(patch)


def minimized(command: Command, thing: ThingState, patch: JsonValue) -> JsonValue:
    """The patch to record: as it is, or reduced to what it changes; raises if ``if-equal`` forbids to change nothing.

    Patches with regular expressions are tried out here, so that a bad one is refused and none removes an id.
    """
    wish = if_equal(command.headers)
    marked = _has_markers(command, patch)
    if wish == "update" and not marked:
        return patch
    after = merge_patch.apply(thing.document, merge_patch.at(command.path, patch))
    if marked:
        _check_ids_kept(command, thing, after)
    if wish == "update":
        return patch
    before = resolve(thing.document, command.path)
    if isinstance(after, dict) and same(thing.document, after):
        raise PreconditionFailed("if-equal", wish, None)
    if wish == "skip" or isinstance(before, Missing):
        return patch
    smaller = merge_patch.minimize(before, patch)
    return patch if isinstance(smaller, Missing) else smaller


def _check_root(command: Command, patch: JsonValue) -> None:
    if not isinstance(patch, dict) or not patch:
        raise MergeInvalid("a patch of a whole thing is an object that is not empty")
    if "thingId" in patch:
        thing_id = patch["thingId"]
        if thing_id is None:
            raise ThingIdNotDeletable(command.entity_id)
        if thing_id != command.entity_id:
            raise ThingIdNotSettable(str(thing_id), command.entity_id)
    if "policyId" in patch and patch["policyId"] is None:
        raise ThingPolicyIdNotDeletable(command.entity_id)


def _check_ids_kept(command: Command, thing: ThingState, after: JsonValue) -> None:
    kept = after if isinstance(after, dict) else {}
    if kept.get("thingId") != thing.document.get("thingId"):
        raise ThingIdNotDeletable(command.entity_id)
    if "policyId" in thing.document and "policyId" not in kept:
        raise ThingPolicyIdNotDeletable(command.entity_id)


def _has_markers(command: Command, patch: JsonValue) -> bool:
    """Whether the patch may hold a regular expression; a cheap look that errs on the side of yes."""
    return b"{{" in dump(patch) or any("{{" in key for key in command.path)


def _without_markers(patch: JsonValue) -> JsonValue:
    if not isinstance(patch, dict):
        return patch
    return {key: _without_markers(member) for key, member in patch.items() if not merge_patch.is_marker(key, member)}
