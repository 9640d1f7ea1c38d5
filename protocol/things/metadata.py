"""Metadata of a thing: a tree that mirrors the thing, with free members beside every part of it.

It is asked for and changed by the headers ``get-metadata``, ``put-metadata`` and ``delete-metadata`` (one of them in a
command), and given with ``_metadata`` when a thing is created. An event carries the change as a merge patch of the
tree, so that it is replayed with the event; what a thing loses loses its metadata. Source: Ditto documentation, page
*basic-metadata*.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocol import merge_patch
from protocol.errors import (
    HeaderInvalid,
    HeaderNotSupported,
    JsonFormatInvalid,
    MetadataHeadersConflict,
    MetadataNotModifiable,
)
from protocol.json import JsonObject, JsonValue, Missing
from protocol.pointers import Pointer, assign, parse, resolve
from protocol.signals import Command
from protocol.things.state import ThingState

_HEADERS = frozenset({"put-metadata", "get-metadata", "delete-metadata"})

_CONTAINERS = ("properties", "desiredProperties")
_WILDCARDS: Final[dict[str, frozenset[Pointer]]] = {
    "/": frozenset({("*",), ("attributes", "*"), *(("features", "*", part, "*") for part in _CONTAINERS)}),
    "/features": frozenset({("*",), *(("*", part, "*") for part in _CONTAINERS)}),
    "/features/*": frozenset({("*",), *((part, "*") for part in _CONTAINERS)}),
}
"""Where a wildcard may stand in a key, by the pattern of the resource; elsewhere only ``*`` alone may."""

_ANYWHERE: Final[frozenset[Pointer]] = frozenset({("*",)})


def metadata_patch(command: Command, pattern: str, value: JsonValue, metadata: JsonObject) -> JsonObject | None:
    """The change of the thing's metadata that comes with a write, as a merge patch; ``None`` if there is none.

    ``value`` is what the command writes: a wildcard stands for its leaves. ``pattern`` is that of its resource.
    """
    if _HEADERS.isdisjoint(command.headers):
        return None
    header = _only_header(command)
    found: JsonValue = {}
    if header == "put-metadata":
        for pointer, given in _entries(command.headers[header]):
            _check_literal(header, pointer[-1], given)
            for place in _places(header, pointer[:-1], pattern, value):
                found = assign(found, (*place, pointer[-1]), merge_patch.without_nulls(given))
    elif header == "delete-metadata":
        for pointer in _pointers(command.headers[header]):
            _check_literal(header, pointer[-1], None)
            if pointer == ("*",):
                return _nothing_left(command, metadata)
            for place in _places(header, pointer[:-1], pattern, value):
                found = assign(found, (*place, pointer[-1]), None)
    return _at(command.path, found) if found else None


def initial_metadata(command: Command, body: JsonObject, pattern: str) -> JsonObject | None:
    """The metadata that a thing is created with: from the header or from ``_metadata``, not from both."""
    inline = body.get("_metadata")
    if inline is not None and not isinstance(inline, dict):
        raise JsonFormatInvalid("_metadata", "an object")
    if inline is not None and "put-metadata" in command.headers:
        raise MetadataNotModifiable
    if inline is None:
        return metadata_patch(command, pattern, body, {})
    given = merge_patch.without_nulls(inline)
    return given if isinstance(given, dict) else None


def requested_metadata(command: Command, pattern: str, thing: ThingState) -> JsonObject | None:
    """The metadata that the header ``get-metadata`` selects, relative to the path; ``None`` without the header."""
    if "get-metadata" not in command.headers:
        return None
    here = resolve(thing.metadata, command.path)
    value = resolve(thing.document, command.path)
    found: JsonValue = {}
    for pointer in _pointers(command.headers[_only_header(command)]):
        if pointer == ("*",):
            return here if isinstance(here, dict) else {}
        for place in _places("get-metadata", pointer[:-1], pattern, None if isinstance(value, Missing) else value):
            member = resolve(here, (*place, pointer[-1]))
            if not isinstance(member, Missing):
                found = assign(found, (*place, pointer[-1]), member)
    return found if isinstance(found, dict) else {}


def changed_metadata(
    metadata: JsonObject, before: JsonObject, after: JsonObject, patch: JsonObject | None
) -> JsonObject:
    """The metadata after an event: without that of removed parts, with the event's ``patch`` applied."""
    if metadata and before is not after:
        metadata = _pruned(metadata, before, after)
    if patch is None:
        return metadata
    patched = merge_patch.apply(metadata, patch)
    return patched if isinstance(patched, dict) else metadata


def _pruned(metadata: JsonObject, before: JsonObject, after: JsonObject) -> JsonObject:
    kept: JsonObject = {}
    for key, member in metadata.items():
        if key in before and key not in after:
            continue
        old, new = before.get(key), after.get(key)
        if isinstance(member, dict) and isinstance(old, dict) and old is not new:
            kept[key] = _pruned(member, old, new if isinstance(new, dict) else {})
        else:
            kept[key] = member
    return kept


def _only_header(command: Command) -> str:
    first, *others = sorted(_HEADERS.intersection(command.headers))
    if others:
        raise MetadataHeadersConflict
    return first


def _entries(header: JsonValue) -> Iterator[tuple[Pointer, JsonValue]]:
    for entry in header if isinstance(header, list) else [None]:
        key = entry.get("key") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(key, str) or "value" not in entry or not parse(key):
            raise HeaderInvalid("put-metadata", 'an array of {"key":"/pointer/to/name","value":...}', header)
        yield parse(key), entry["value"]


def _pointers(header: JsonValue) -> list[Pointer]:
    return [pointer for part in str(header).split(",") if (pointer := parse(part.strip()))]


def _check_literal(header: str, key: str, value: JsonValue) -> None:
    """Refuse what a merge patch would take for an expression; replaying an event must never depend on one."""
    if merge_patch.is_marker(key, value):
        raise HeaderInvalid(header, "pointers without expressions", key)


def _nothing_left(command: Command, metadata: JsonObject) -> JsonObject | None:
    if command.path:
        _check_literal("delete-metadata", command.path[-1], None)
        return _at(command.path, None)
    return {key: None for key in metadata if not merge_patch.is_marker(key, None)}


def _places(header: str, place: Pointer, pattern: str, value: JsonValue) -> list[Pointer]:
    """The places that a key's pointer stands for: itself, or the leaves of the value that fit its wildcards."""
    if "*" not in place:
        return [place]
    if place not in _WILDCARDS.get(pattern, _ANYWHERE):
        if any(place in allowed for allowed in _WILDCARDS.values()):
            raise HeaderNotSupported(f"The wildcard '{'/'.join(place)}' cannot be used with this resource.")
        raise HeaderInvalid(header, "a documented wildcard such as features/*/properties/*/unit", "/".join(place))
    if not isinstance(value, dict):
        return [()] if place == ("*",) else []
    return [leaf for leaf in _leaves(value) if _fits(leaf, place)]


def _leaves(value: JsonObject, above: Pointer = ()) -> Iterator[Pointer]:
    for key, member in value.items():
        if not above and key.startswith("_"):
            continue
        if isinstance(member, dict) and member:
            yield from _leaves(member, (*above, key))
        else:
            yield (*above, key)


def _fits(leaf: Pointer, wildcard: Pointer) -> bool:
    """Whether the leaf is one that the wildcard means; its last star stands for one key or more."""
    return len(leaf) >= len(wildcard) and all(star in ("*", key) for key, star in zip(leaf, wildcard, strict=False))


def _at(path: Pointer, patch: JsonValue) -> JsonObject | None:
    wrapped = merge_patch.at(path, patch)
    return wrapped if isinstance(wrapped, dict) else None
