"""JSON merge patch (RFC 7396) with Ditto's deletion of members by a regular expression.

A member whose name is ``{{ ~expression~ }}`` or ``{{ /expression/ }}`` and whose value is null deletes all its siblings
in the target whose whole name matches (Ditto documentation page *protocol-specification-things-merge*). Deletion comes
first: a member that matches and stands in the patch too is replaced, not merged. Nothing is changed in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from protocol.json import MISSING, JsonObject, JsonValue, Missing, same
from protocol.pointers import ROOT, Pointer
from protocol.safe_patterns import compile_pattern

_marker = re.compile(r"\{\{\s*(?:~(?P<tilde>.+)~|/(?P<slash>.+)/)\s*\}\}", re.DOTALL)


def apply(target: JsonValue | Missing, patch: JsonValue) -> JsonValue:
    """The target after the patch; where it gains a new object, that object comes without its nulls."""
    if not isinstance(patch, dict):
        return patch
    if not isinstance(target, dict):
        return without_nulls(patch)
    result = dict(target)
    for key in _matched(target, patch):
        del result[key]
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = apply(result.get(key, MISSING), value)
        else:
            result[key] = value
    return result


def at(pointer: Pointer, patch: JsonValue) -> JsonValue:
    """The patch of the whole document that does what ``patch`` does at the pointer."""
    for key in reversed(pointer):
        patch = {key: patch}
    return patch


def without_nulls(patch: JsonValue) -> JsonValue:
    """What the patch makes of nothing: objects without their null members, at every depth, but not inside arrays."""
    if not isinstance(patch, dict):
        return patch
    return {key: without_nulls(value) for key, value in patch.items() if value is not None}


def minimize(target: JsonValue | Missing, patch: JsonValue) -> JsonValue | Missing:
    """The part of the patch that changes the target, for ``if-equal: skip-minimizing-merge``; nothing if none does."""
    if not isinstance(patch, dict):
        return MISSING if same(target, patch) else patch
    if not isinstance(target, dict):
        return patch
    matched = _matched(target, patch)
    smaller: JsonObject = {}
    for key, value in patch.items():
        if key in matched or (value is None and (key in target or _is_effective(key, target))):
            smaller[key] = value
        elif value is not None and (rest := minimize(target.get(key, MISSING), value)) is not MISSING:
            smaller[key] = rest
    return smaller or MISSING


def expand(target: JsonValue | Missing, patch: JsonValue) -> JsonValue:
    """A patch without expressions that does to this target what ``patch`` does; plain RFC 7396 for every reader."""
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return without_nulls(patch)
    matched = _matched(target, patch)
    plain: JsonObject = {key: None for key in target if key in matched and key not in patch}
    for key, value in patch.items():
        if value is not None and key in matched:
            plain[key] = _replacement(target[key], without_nulls(value))
        elif value is not None:
            plain[key] = expand(target.get(key, MISSING), value)
        elif _expression(key) is None or key in target:
            plain[key] = None
    return plain


def leaves(patch: JsonValue, target: JsonValue | Missing = MISSING) -> Iterator[Pointer]:
    """Where the patch writes, relative to its place: the permissions it needs.

    Scalars, arrays, nulls and empty objects are leaves. An expression may delete any sibling, so it counts as a write
    to the object that holds it. Where the target has something that is no object, an object in the patch replaces it,
    and so is a leaf. (Ditto's Java misses empty objects and one of the two delimiters.)
    """
    yield from _leaves(patch, target, ROOT)


def _leaves(patch: JsonValue, target: JsonValue | Missing, pointer: Pointer) -> Iterator[Pointer]:
    replaces = not isinstance(target, dict | Missing) and target is not None
    if not isinstance(patch, dict) or not patch or replaces:
        yield pointer
        return
    for key, value in patch.items():
        if value is None and _expression(key) is not None:
            yield pointer
        else:
            below = target.get(key, MISSING) if isinstance(target, dict) else MISSING
            yield from _leaves(value, below, (*pointer, key))


def _matched(target: JsonObject, patch: JsonObject) -> set[str]:
    """The members of the target that expressions in the patch delete."""
    return {
        key
        for marker, value in patch.items()
        if value is None and (expression := _expression(marker)) is not None
        for key in compile_pattern(expression).matches(target)
    }


def _is_effective(key: str, target: JsonObject) -> bool:
    expression = _expression(key)
    return expression is not None and bool(compile_pattern(expression).matches(target))


def _expression(key: str) -> str | None:
    """The expression that the key is a marker for."""
    match = _marker.fullmatch(key) if key.startswith("{{") else None
    return None if match is None else match["tilde"] or match["slash"]


def _replacement(old: JsonValue, new: JsonValue) -> JsonValue:
    """The patch that turns the old value into the new one, which has no nulls in objects."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone: JsonObject = {key: None for key in old if key not in new}
    return gone | {key: _replacement(old.get(key), value) for key, value in new.items()}


def is_marker(key: str, value: JsonValue) -> bool:
    """Whether this member of a patch is an expression that deletes siblings, and never becomes a member itself."""
    return value is None and _expression(key) is not None
