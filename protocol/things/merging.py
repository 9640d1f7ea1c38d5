"""What a merge may say, and what is left to say of it.

A patch is judged like a value of the resource, except that ``null`` and the markers of regular expressions take away,
and must not take the ids away. Source: Ditto documentation, page *protocol-specification-things-merge*; RFC 7396.
"""

from __future__ import annotations

from collections.abc import Callable

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
from protocol.preconditions import if_equal
from protocol.signals import Command
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
    elif merge_patch.is_marker(command.path[-1], patch):
        raise MergeInvalid("an expression that deletes members belongs into the patch, not into the path")
    marked = _may_hold_markers(patch)
    try:
        resource.check(_without_markers(patch) if marked else patch)
    except JsonFormatInvalid as error:
        raise MergeInvalid(error.message, error.description) from error
    return resource.known(patch, merge_patch.is_marker) if marked else resource.known(patch)


def patch_to_record(
    command: Command, thing: ThingState, patch: JsonValue, spared: Callable[[JsonValue], JsonValue | Missing] | None
) -> JsonValue | Missing:
    """The patch that becomes the event; raises if it changes nothing and ``if-equal`` forbids that.

    ``spared`` takes out of a patch what its conditions forbid; nothing comes back if that was all of it. ``if-equal``
    has looked at the whole patch before.

    Regular expressions are spelled out as the members they delete, so that whoever reads the event needs to know
    RFC 7396 only and replaying the log never depends on them. ``skip-minimizing-merge`` leaves what really changes.
    """
    before = resolve(thing.document, command.path)
    plain = _spelled_out(command, before, patch)
    wish = if_equal(command.headers)
    if wish != "update":
        after = merge_patch.apply(thing.document, merge_patch.at(command.path, plain))
        if same(thing.document, after):
            raise PreconditionFailed("if-equal", wish, None)
    if spared is not None:
        # Before and after, for a condition may name an expression or one of the members that it stands for.
        left = spared(patch)
        left = left if isinstance(left, Missing) else spared(_spelled_out(command, before, left))
        if isinstance(left, Missing):
            return left
        plain = left
    if wish != "skip-minimizing-merge" or isinstance(before, Missing):
        return plain
    smaller = merge_patch.minimize(before, plain)
    return plain if isinstance(smaller, Missing) else smaller


def _spelled_out(command: Command, before: JsonValue | Missing, patch: JsonValue) -> JsonValue:
    if not _may_hold_markers(patch):
        return patch
    patch = merge_patch.expand(before, patch)
    if not command.path:
        _check_ids_kept(command, patch)
    return patch


def _check_root(command: Command, patch: JsonValue) -> None:
    if not isinstance(patch, dict) or not patch:
        raise MergeInvalid("a patch of a whole thing is an object that is not empty")
    thing_id = patch.get("thingId")
    if thing_id is not None and thing_id != command.entity_id:
        raise ThingIdNotSettable(str(thing_id), command.entity_id)
    _check_ids_kept(command, patch)


def _check_ids_kept(command: Command, patch: JsonValue) -> None:
    deleted = [key for key, member in patch.items() if member is None] if isinstance(patch, dict) else []
    if "thingId" in deleted:
        raise ThingIdNotDeletable(command.entity_id)
    if "policyId" in deleted:
        raise ThingPolicyIdNotDeletable(command.entity_id)


def _may_hold_markers(patch: JsonValue) -> bool:
    """Whether the patch may hold an expression that deletes; a quick look that errs on the side of yes."""
    return b"{{" in dump(patch)


def _without_markers(patch: JsonValue) -> JsonValue:
    if not isinstance(patch, dict):
        return patch
    return {key: _without_markers(member) for key, member in patch.items() if not merge_patch.is_marker(key, member)}
