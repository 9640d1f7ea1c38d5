"""JSON Patch (RFC 6902) said in Ditto's own words: as a merge where a merge patch can say it, else as a modify.

Not part of Ditto. The operations are applied to the resource that the command addresses; what changed becomes one
command, so that a patch is atomic, is stored as an ordinary event and passes every check of an ordinary command.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Final

import jsonpatch
import jsonpointer

from protocol.errors import (
    PatchInvalid,
    PatchTestFailed,
    ThingIdNotDeletable,
    ThingNotFound,
    ThingPolicyIdNotDeletable,
    UnknownPath,
)
from protocol.json import MISSING, JsonObject, JsonValue, Missing, dump, same
from protocol.merge_patch import is_marker
from protocol.pointers import Pointer, resolve
from protocol.signals import Command
from protocol.things.conditions import check_not_with_json_patch
from protocol.things.preconditions import check_tags
from protocol.things.resources import resource_at
from protocol.things.state import ThingState, existing
from protocol.things.values import depth
from protocol.things.views import not_found_error

CONTENT_TYPE: Final = "application/json-patch+json"

_DEEPEST = 64
_LONGEST = 1_048_576
"""How far a document may nest and grow while operations are applied; ``copy`` can double it with each step."""


def without_json_patch(command: Command, state: ThingState | None) -> Command:
    """The command itself, unless it is a merge whose content type is JSON Patch: then the equivalent merge or modify.

    The answer holds for this very state: enforce and decide it on the same one. Raises ``PatchTestFailed`` (409) if a
    ``test`` does not hold, ``PatchInvalid`` (400) if the operations are malformed or lead to nothing.
    """
    if not is_json_patch(command):
        return command
    check_not_with_json_patch(command.headers)
    thing = existing(state)
    if thing is None:
        raise ThingNotFound(command.entity_id)
    before = resolve(thing.document, command.path)
    if isinstance(before, Missing):
        raise not_found_error(thing, command.path)
    check_tags(command, thing)
    after = _applied(before, command.value)
    if not command.path:
        _check_ids_kept(thing, after)
    headers = {**command.headers, "content-type": "application/merge-patch+json"}
    patch = MISSING if same(before, after) else _difference(before, after)
    if not isinstance(patch, Missing):
        return replace(command, value=patch, headers=headers)
    path, value = _smallest(command.path, before, after)
    return replace(
        command, verb="modify", path=path, value=value, headers={**headers, "content-type": "application/json"}
    )


def is_json_patch(command: Command) -> bool:
    """Whether the command is a merge that is said as a JSON Patch."""
    content_type = command.headers.get("content-type") if command.verb == "merge" else None
    return isinstance(content_type, str) and content_type.partition(";")[0].strip().lower() == CONTENT_TYPE


def _applied(before: JsonValue, operations: JsonValue | Missing) -> JsonValue:
    """The value after all operations; neither argument is changed."""
    if not isinstance(operations, list):
        raise PatchInvalid("it is no array of operations")
    value = deepcopy(before)
    length = len(dump(before)) + len(dump(operations))
    for operation in deepcopy(operations):
        if not isinstance(operation, dict) or not isinstance(path := operation.get("path"), str):
            raise PatchInvalid("an operation is no object with a path")
        try:
            brought = _brought(value, operation)
            if path.count("/") + depth(brought) > _DEEPEST:
                raise PatchInvalid(f"it nests more than {_DEEPEST} levels at '{path}'")
            length += len(dump(brought))
            if length > _LONGEST:
                raise PatchInvalid("its intermediate results are too large")
            value = _performed(value, operation)
        except jsonpatch.JsonPatchTestFailed as error:
            raise PatchTestFailed(path) from error
        # The library lets Python's own errors through when a path leads into a scalar or past an array.
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, LookupError) as error:
            raise PatchInvalid(str(error)) from error
    return value


def _performed(value: JsonValue, operation: JsonObject) -> JsonValue:
    # The stubs know well-formed operations on objects and arrays only; the library checks what it is given.
    patch = jsonpatch.JsonPatch([operation])  # type: ignore[list-item]  # its stubs know fewer JSON values than it takes
    performed: JsonValue = patch.apply(value, in_place=True)  # type: ignore[type-var]  # as above
    return performed


def _brought(value: JsonValue, operation: JsonObject) -> JsonValue:
    """What the operation puts at its path."""
    if operation.get("op") not in {"copy", "move"}:
        return operation.get("value")
    origin = operation.get("from")
    if not isinstance(origin, str):
        raise PatchInvalid("a copy or move has no 'from'")
    found: JsonValue = jsonpointer.JsonPointer(origin).resolve(value)
    return found


def _difference(before: JsonValue, after: JsonValue) -> JsonValue | Missing:
    """The merge patch (RFC 7396) that leads from one to the other; missing if a merge patch cannot say it.

    It cannot put a ``null`` into an object, nor remove a key that reads like a regular expression.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after if _is_sayable(after) else MISSING
    gone = [key for key in before if key not in after]
    if any(is_marker(key, None) for key in gone):
        return MISSING
    patch: JsonObject = dict.fromkeys(gone)
    for key in _changed(before, after):
        inner = _difference(before.get(key), after[key])
        if isinstance(inner, Missing):
            return MISSING
        patch[key] = inner
    return patch


def _changed(before: JsonObject, after: JsonObject) -> list[str]:
    """The keys whose values are new or different."""
    return [key for key, value in after.items() if key not in before or not same(before[key], value)]


def _is_sayable(value: JsonValue) -> bool:
    """Whether a merge patch can put this value where it is not yet: it has no null outside of arrays."""
    if isinstance(value, dict):
        return all(_is_sayable(member) for member in value.values())
    return value is not None


def _smallest(path: Pointer, before: JsonValue, after: JsonValue) -> tuple[Pointer, JsonValue]:
    """The smallest resource that holds every change, and its new value."""
    found = path, after
    while isinstance(before, dict) and isinstance(after, dict) and before.keys() <= after.keys():
        changed = _changed(before, after)
        if len(changed) != 1:
            break
        path, before, after = (*path, changed[0]), before.get(changed[0]), after[changed[0]]
        if _is_resource(path):
            found = path, after
    return found


def _is_resource(path: Pointer) -> bool:
    try:
        resource_at(path)
    except UnknownPath:
        return False
    return True


def _check_ids_kept(thing: ThingState, after: JsonValue) -> None:
    """Refuse to remove the ids, which a modify of the whole thing would quietly keep."""
    kept = after if isinstance(after, dict) else {}
    if "thingId" in thing.document and kept.get("thingId") is None:
        raise ThingIdNotDeletable(thing.thing_id)
    if "policyId" in thing.document and kept.get("policyId") is None:
        raise ThingPolicyIdNotDeletable(thing.thing_id)
