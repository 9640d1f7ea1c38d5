"""Field selectors: ``thingId,attributes(maker,place/city),features/*/properties/on``.

Source: Ditto documentation page *httpapi-concepts* (partial requests).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from protocol import pointers
from protocol.errors import JsonFieldSelectorInvalid
from protocol.json import JsonObject, JsonValue
from protocol.pointers import ROOT, Pointer

MAX_REMEMBERED: Final = 1024
"""Longer selectors are read anew each time, so that nobody can fill the memory with them."""

_Tree: TypeAlias = "dict[str, _Tree]"
"""Selected members; one without members of its own is selected whole."""


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """What to keep of a document, as pointers in the order of the text."""

    text: str
    pointers: tuple[Pointer, ...]
    _tree: Mapping[str, _Tree]

    def select(self, document: JsonObject) -> JsonObject:
        """The selected part of the document; what it does not have is left out, without complaint."""
        return _select(document, self._tree, wildcard=False)

    def mentions(self, member: str) -> bool:
        """Whether anything at or below this top-level member is selected."""
        return member in self._tree


def parse_fields(text: str) -> FieldSelector:
    """The selector, or ``JsonFieldSelectorInvalid`` when it is empty or its parentheses do not match.

    A comma separated list of pointers whose leading slash may be missing; ``a/b(c,d/e)`` is ``a/b/c,a/b/d/e``, to any
    depth. A ``*`` directly below ``features`` stands for every feature.
    """
    return _remembered(text) if len(text) <= MAX_REMEMBERED else _parsed(text)


def _parsed(text: str) -> FieldSelector:
    paths = tuple(_paths(text))
    tree: _Tree = {}
    for path in paths:
        _plant(tree, path)
    return FieldSelector(text, paths, tree)


_remembered = lru_cache(maxsize=1024)(_parsed)


def _paths(text: str) -> list[Pointer]:
    paths: list[Pointer] = []
    prefixes = [ROOT]
    start, closed = 0, False
    for end, char in enumerate(text + ","):
        if char not in "(),":
            continue
        name = text[start:end].strip()
        start = end + 1
        if closed == bool(name) or (closed and char == "("):
            raise JsonFieldSelectorInvalid(text, "a field name is missing or stands behind a parenthesis")
        if name:
            path = prefixes[-1] + _pointer(name, text)
            prefixes += [path] * (char == "(")
            paths += [path] * (char != "(")
        closed = char == ")"
        if closed and len(prefixes) == 1:
            raise JsonFieldSelectorInvalid(text, "a parenthesis is closed that was not opened")
        if closed:
            prefixes.pop()
    if len(prefixes) > 1:
        raise JsonFieldSelectorInvalid(text, "a parenthesis is not closed")
    return paths


def _pointer(name: str, text: str) -> Pointer:
    pointer = pointers.parse(name)
    if pointer == ROOT:
        raise JsonFieldSelectorInvalid(text, "a field has no name")
    return pointer


def _plant(tree: _Tree, path: Pointer) -> None:
    """Grow the tree by a path, unless something above it is selected whole already."""
    *above, last = path
    for key in above:
        if key in tree and not tree[key]:
            return
        tree = tree.setdefault(key, {})
    tree[last] = {}


def _select(document: JsonObject, tree: Mapping[str, _Tree], *, wildcard: bool) -> JsonObject:
    selected: JsonObject = {}
    for key, below in tree.items():
        for name in document if wildcard and key == "*" else (key,):
            if name not in document:
                continue
            part = _part(document[name], below, wildcard=key == "features")
            if part is not None or not below:
                selected[name] = _united(selected.get(name), part)
    return selected


def _part(value: JsonValue, tree: _Tree, *, wildcard: bool) -> JsonValue:
    """The selected part of one member: all of it for a leaf of the tree, None if nothing is there."""
    if not tree:
        return value
    return (_select(value, tree, wildcard=wildcard) or None) if isinstance(value, dict) else None


def _united(one: JsonValue, other: JsonValue) -> JsonValue:
    """Two selections of the same member (a wildcard's and a name's) as one."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return one | {key: _united(one.get(key), value) for key, value in other.items()}
