"""The fields of a SearchIndex: what of a namespace's things can be searched.

A field is a pointer into the thing and stands for everything at and below it; ``*`` in the place of a feature id stands
for every feature. Whatever is asked, ``thingId`` is there.

Sources: the product's documentation on the SearchIndex of namespaces, and the Ditto documentation on
*namespace-indexed-fields* (page *installation-operating*).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from projections.search.keys import MAX_BYTES
from protocol.errors import DittoError, SearchIndexInvalid
from protocol.json import MISSING, JsonObject, JsonValue, Missing
from protocol.json import parse as parse_json
from protocol.pointers import Pointer, parse, text
from protocol.rql.tree import ANY_FEATURE, Property

MOST_FIELDS: Final = 100
ALL: Final = "all"
DEFAULT: Final = "default"

_SINGLE: Final = frozenset({"thingId", "policyId", "definition", "_created", "_modified", "_revision", "_namespace"})
_WITH_PARTS: Final = frozenset({"attributes", "features", "_metadata"})
_OF_FEATURE: Final = frozenset({"definition", "properties", "desiredProperties"})
_KEPT_BY_KEYS: Final = _WITH_PARTS | {"definition"}
_ALWAYS: Final = ("thingId",)


@dataclass(slots=True)
class _Node:
    """What of a value is indexed: the ``whole`` of it, or what its members' nodes say (``others``: of any other)."""

    whole: bool = False
    named: dict[str, _Node] = field(default_factory=dict)
    others: _Node | None = None

    def below(self, key: str) -> _Node | None:
        """What is said of a member."""
        return self.named.get(key, self.others)

    def add(self, path: Pointer) -> None:
        node = self
        for depth, key in enumerate(path):
            if depth == 1 and path[0] == "features" and key == ANY_FEATURE:
                node.others = node.others or _Node()
                node = node.others
            else:
                node = node.named.setdefault(key, _Node())
        node.whole = True


@dataclass(frozen=True)
class Fields:
    """A SearchIndex. ``paths`` are in order, and none lies below another; the root alone stands for everything."""

    paths: tuple[Pointer, ...]

    @cached_property
    def _tree(self) -> _Node:
        root = _Node()
        # What is said of every feature holds for those that are named, too.
        features = {path[1] for path in self.paths if len(path) > 1 and path[0] == "features"} - {ANY_FEATURE}
        for path in self.paths:
            root.add(path)
            if path[:2] == ("features", ANY_FEATURE):
                for name in features:
                    root.add(("features", name, *path[2:]))
        return root

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.paths == ((),)

    @cached_property
    def of_keys(self) -> tuple[Pointer, ...]:
        """Those fields whose values are rows of ``search_keys``; what a thing's own row holds is always written."""
        return tuple(path for path in self.paths if not path or path[0] in _KEPT_BY_KEYS)

    def covers(self, path: Pointer) -> bool:
        """Whether all that is at and below the path is in the index."""
        node: _Node | None = self._tree
        for depth, key in enumerate(path):
            if node is None or node.whole:
                break
            wildcard = depth == 1 and path[0] == "features" and key == ANY_FEATURE
            node = node.others if wildcard else node.below(key)
        return path == _ALWAYS or (node is not None and node.whole)

    def lacking(self, used: Iterable[Property]) -> list[Property]:
        """Those of the properties that cannot be asked for."""
        return [subject for subject in used if not self.covers(subject.path)]

    def cut(self, document: JsonObject) -> JsonObject:
        """The part of a thing that is in the index, with the arrays that lead there.

        Indexed parts are the document's own objects, so that two versions of a thing still share what did not change.
        """
        if self.everything:
            return document
        kept = _kept(self._tree, document)
        return kept if isinstance(kept, dict) else {}

    def meet(self, other: Fields) -> Fields:
        """What both have."""
        return of_paths(found for mine in self.paths for theirs in other.paths for found in _both(mine, theirs))

    def to_json(self) -> JsonValue:
        """As ``read_fields`` takes it."""
        return ALL if self.everything else [spelled(path) for path in self.paths]


EVERYTHING: Final = Fields(((),))
DEFAULTS: Final = Fields((("_created",), ("attributes",), ("definition",), ("policyId",), ("thingId",)))
"""What the product's documentation says is indexed unless something else is wanted."""


def of_paths(paths: Iterable[Pointer]) -> Fields:
    """The index of these fields, without those that lie below others."""
    found = set(paths)
    if () in found:
        return EVERYTHING
    return Fields(tuple(sorted(path for path in found if not any(above in found for above in _above(path)))))


@lru_cache(maxsize=1_024)
def restore_fields(written: bytes) -> Fields:
    """What was stored once, whatever would be accepted now."""
    value = parse_json(written)
    return of_paths(map(parse, map(str, value))) if isinstance(value, list) else EVERYTHING


def read_fields(value: JsonValue) -> Fields:
    """The fields that an operator asks for: a list of pointers, ``"default"`` or ``"all"``.

    Raises ``SearchIndexInvalid`` for anything else, more than 100 fields, and one that is longer than search keeps.
    """
    if value == ALL:
        return EVERYTHING
    if value == DEFAULT:
        return DEFAULTS
    if not isinstance(value, list):
        raise SearchIndexInvalid(f"'fields' is neither a list nor one of '{DEFAULT}' and '{ALL}'")
    if len(value) > MOST_FIELDS:
        raise SearchIndexInvalid(f"there are {len(value)} fields, and {MOST_FIELDS} is the limit")
    return of_paths([*map(_read, value), _ALWAYS])


def spelled(path: Pointer) -> str:
    """A field or property as it is written in filters."""
    return text(path)[1:]


def _read(value: JsonValue) -> Pointer:
    if not isinstance(value, str):
        raise SearchIndexInvalid("a field is not a string")
    if len(value.encode()) > MAX_BYTES:
        raise SearchIndexInvalid(f"the field '{value[:100]}...' is longer than {MAX_BYTES} bytes")
    try:
        path = parse(value)
    except DittoError as error:
        raise SearchIndexInvalid(f"the field '{value[:200]}' is no JSON pointer: {error.message}") from error
    if path == ("namespace",):
        path = ("_namespace",)
    if not _is_field(path):
        raise SearchIndexInvalid(f"'{value[:200]}' is no field of things")
    return path


def _is_field(path: Pointer) -> bool:
    match path:
        case (name,):
            return name in _SINGLE | _WITH_PARTS
        case ("attributes" | "_metadata", *_) | ("features", _):
            return True
        case ("features", _, "definition"):
            return True
        case ("features", _, part, *_):
            return part in _OF_FEATURE - {"definition"}
        case _:
            return False


def _kept(node: _Node, value: JsonValue) -> JsonValue | Missing:
    if node.whole:
        return value
    if isinstance(value, dict):
        members = _members(node, value)
        return members or MISSING
    if isinstance(value, list):
        return [kept for item in value if (kept := _kept(node, item)) is not MISSING] or MISSING
    return MISSING


def _members(node: _Node, value: Mapping[str, JsonValue]) -> JsonObject:
    members: JsonObject = {}
    for key in value if node.others is not None else node.named:
        below = node.below(key)
        if below is not None and key in value and (kept := _kept(below, value[key])) is not MISSING:
            members[key] = kept
    return members


def _above(path: Pointer) -> Iterator[Pointer]:
    """The fields that would make this one needless."""
    of_feature = len(path) > 1 and path[0] == "features" and path[1] != ANY_FEATURE
    for length in range(1, len(path)):
        yield path[:length]
    for length in range(2, len(path) + 1) if of_feature else ():
        yield "features", ANY_FEATURE, *path[2:length]


def _both(one: Pointer, other: Pointer) -> Iterable[Pointer]:
    """What lies at or below both paths: none or one."""
    met: list[str] = []
    for depth, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        feature = depth == 1 and one[0] == other[0] == "features"
        if mine == theirs or (feature and ANY_FEATURE in {mine, theirs}):
            met.append(theirs if mine == ANY_FEATURE and feature else mine)
        else:
            return ()
    longer = one if len(one) > len(other) else other
    return ((*met, *longer[len(met) :]),)
