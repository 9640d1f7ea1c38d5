"""JSON pointers as Ditto reads them: a tuple of keys, ``()`` being the root.

They lead through objects only, never into arrays (Ditto documentation page *basic-thing* and the JSON library of its
Java implementation). Nothing here changes a document: a change is a new document that shares what stayed the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

from protocol.errors import JsonKeyInvalid, JsonPointerInvalid
from protocol.json import MAX_DEPTH, MISSING, JsonObject, JsonValue, Missing

Pointer: TypeAlias = tuple[str, ...]

ROOT: Pointer = ()

MAX_REMEMBERED: Final = 256
"""Longer texts are read anew each time, so that nobody can fill the memory with them."""

_key = re.compile(r"[^\x00-\x1F\x7F-\xFF/]{1,256}")
_open_ended = re.compile(r"(/entries/[^/]+/(subjects|resources))/(.+)", re.DOTALL)
_pathless = re.compile(r"[^:/]+:")


def check_key(key: str) -> str:
    """The key itself if it may name a member: 1 to 256 characters, no ``/``, none of U+0000-1F and U+007F-FF."""
    if _key.fullmatch(key) is None:
        raise JsonKeyInvalid(key)
    return key


def parse(text: str) -> Pointer:
    """The keys of ``/a/b``; ``/`` and no text are the root. A slash in front may be missing, one behind is ignored.

    ``~0`` stands for ``~``. Unlike RFC 6901, ``~1`` stays as it is, because a key can never contain a slash. An empty
    key, or more keys than values may be deep, is ``JsonPointerInvalid``; a key that may not be is ``JsonKeyInvalid``.
    """
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _parsed(text)


def _parsed(text: str) -> Pointer:
    inner = text.removeprefix("/").removesuffix("/") if text != "//" else "/"
    if not inner:
        return ROOT
    keys = inner.split("/")
    if "" in keys or len(keys) > MAX_DEPTH:
        raise JsonPointerInvalid(text)
    return tuple(check_key(unescape(key)) for key in keys)


_remembered = lru_cache(maxsize=16384)(_parsed)


def parse_policy_path(text: str) -> Pointer:
    """Like ``parse``, but whatever follows ``subjects/`` or ``resources/`` of an entry is one key, slashes and all.

    ``/entries/owner/resources/thing:/features/a`` has four keys (Ditto documentation page *basic-policy*). The key of a
    resource is the text of a pointer itself, so that what stands in the path is the key: see ``resource_key``.
    """
    return _policy_path(text, resource_key)


def parse_recorded_policy_path(text: str) -> Pointer:
    """As ``parse_policy_path``, of what ``text`` made of the keys: the log escapes the key of a resource once more."""
    return _policy_path(text, unescape)


def _policy_path(text: str, read: Callable[[str], str]) -> Pointer:
    match = _open_ended.fullmatch(text if text.startswith("/") else "/" + text)
    if match is None or match[3] == "/":
        return parse(text)
    return (*parse(match[1]), (read if match[2] == "resources" else unescape)(match[3]))


def resource_key(text: str) -> str:
    """The key of a resource, such as ``thing:/features/a``, as it is kept, whatever way a path writes it.

    Ditto's Java prints no slash at the end of a pointer, so that ``thing:/`` comes as ``thing:``. Any other slash there
    is one too many. ``thing:/a~b`` means the same as ``thing:/a~0b`` and becomes that.
    """
    if _pathless.fullmatch(text):
        return text + "/"
    key = text[:-1] if text.endswith("/") and not text.endswith(":/") else text
    return escape(unescape(key))


def text(pointer: Pointer) -> str:
    """The pointer as text; what ``parse`` reads back as the same keys."""
    return "/" + "/".join([escape(key) for key in pointer])


def policy_text(pointer: Pointer) -> str:
    """The path in a policy as text; what ``parse_policy_path`` reads back as the same keys."""
    if len(pointer) == 4 and pointer[0] == "entries" and pointer[2] == "resources":
        return f"{text(pointer[:3])}/{pointer[3]}"
    return text(pointer)


def escape(key: str) -> str:
    """The key as it stands in a pointer's text."""
    return key.replace("~", "~0") if "~" in key else key


def unescape(key: str) -> str:
    """The key that stands in a pointer's text."""
    return key.replace("~0", "~") if "~" in key else key


def resolve(document: JsonValue | Missing, pointer: Pointer) -> JsonValue | Missing:
    """What the document has at the pointer. Shared with the document, so never to be changed in place."""
    value = document
    for key in pointer:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def assign(document: JsonValue | Missing, pointer: Pointer, value: JsonValue) -> JsonValue:
    """A document that has ``value`` at the pointer; missing parents and parents that are no objects become objects."""
    if not pointer:
        return value
    parents = _objects_along(document, pointer)
    for key, parent in zip(reversed(pointer), reversed(parents), strict=True):
        value = parent | {key: value}
    return value


def remove(document: JsonValue, pointer: Pointer) -> JsonValue | Missing:
    """A document without the member at the pointer; the same document if it has none; nothing for the root."""
    if not pointer:
        return MISSING
    if resolve(document, pointer) is MISSING:
        return document
    *above, holder = _objects_along(document, pointer)
    last = pointer[-1]
    left = holder.copy()  # much faster than leaving one of many out
    del left[last]
    value: JsonValue = left
    for key, parent in zip(reversed(pointer[:-1]), reversed(above), strict=True):
        value = parent | {key: value}
    return value


def _objects_along(document: JsonValue | Missing, pointer: Pointer) -> list[JsonObject]:
    """The objects that hold each key of the pointer, outermost first; empty ones where there are none."""
    objects: list[JsonObject] = []
    value = document
    for key in pointer:
        holder = value if isinstance(value, dict) else {}
        objects.append(holder)
        value = holder.get(key, MISSING)
    return objects
