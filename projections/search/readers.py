"""What a caller may read, in the terms of the search model: which keys, under which policies.

The policies of a fleet resemble each other, so what they say to one caller falls into a few classes. A query decides
per path which classes let the caller look there, and the database is told the answer as ranges of keys and as names of
classes: no row says who may read it.

Which classes meet in one policy need not be known. The deepest rule decides and a revoke beats a grant of its depth, so
a path may be read where some depth has a grant and neither it nor a greater depth a revoke: one of these classes, and
none of those (``Layer``), for each depth that rules speak of. The statements therefore grow with the rules, never with
their combinations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from projections.search.grants import READ, GrantClass
from projections.search.keys import (
    BELOW,
    BEYOND,
    EMPTY,
    MANY,
    NULL,
    SOME_FEATURE,
    STRING,
    VALUE,
    feature_text,
    path_key,
)
from protocol.pointers import Pointer
from protocol.rql.tree import Property

_UNNAMED: Final = "\x00"
"""The id of a feature that no rule names, because it can be none."""

METADATA: Final = ("_metadata",)
_ALWAYS_THERE: Final = ((), ("thingId",), ("policyId",))


@dataclass(frozen=True, slots=True)
class Layer:
    """Policies with one of the classes ``by`` and with none of ``against``."""

    by: frozenset[str]
    against: frozenset[str]


Sight: TypeAlias = tuple[Layer, ...]
"""Policies under which something may be read: those of any of the layers."""


@dataclass(frozen=True, slots=True)
class Array:
    """An array is one leaf to a policy: what it leads to may be read where all of it may be, if there is one."""

    path: str
    whole: Sight


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which policies, and behind which arrays, something may be read."""

    sight: Sight
    arrays: tuple[Array, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """Keys from ``low`` up to, not including, ``high``; of the features ``only``, or of any but those in ``besides``.

    None of it counts where the thing also has a key in ``unless``.
    """

    low: str
    high: str
    only: tuple[str, ...] | None = None
    besides: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


Areas: TypeAlias = Mapping[Terms, Sequence[Area]]


@dataclass(slots=True)
class _Node:
    """Which classes grant and revoke one path, and which revoke something below it."""

    grants: set[str] = field(default_factory=set)
    revokes: set[str] = field(default_factory=set)
    revokes_below: set[str] = field(default_factory=set)
    children: dict[str, _Node] = field(default_factory=dict)


class Readers:
    """What some classes say together. Made once, asked often, never changed; two are the same only if one object."""

    def __init__(self, classes: Iterable[GrantClass]) -> None:
        known = {found.name: found for found in classes}
        self.classes: Final = tuple(sorted(known))
        self.everyone: Final = frozenset(known)
        self.scopes: Final = {name: found.namespaces for name, found in known.items() if found.namespaces}
        """The namespaces of the classes that speak of some only."""
        self._root = _Node()
        for found in known.values():
            for rule in found.rules:
                _plant(self._root, rule.path, found.name, granted=READ not in rule.revoke)
        features = self._root.children.get("features")
        self._features = sorted(features.children) if features is not None else []

    def terms(self, path: Pointer) -> Terms:
        """When the single value at the path may be read."""
        judged = _judged(path)
        return Terms(self._whole(judged), tuple(self._arrays_above(judged)))

    def values(self, subject: Property) -> Areas:
        """Where the caller may look for values at the property, and when."""
        grouped: dict[Terms, list[Area]] = defaultdict(list)
        for terms, area in self._values(subject):
            grouped[terms].append(area)
        return _joined(grouped)

    def empty_objects(self, subject: Property) -> Areas:
        """Where something below the property is revoked, and an empty object there can still be seen."""
        grouped: dict[Terms, list[Area]] = defaultdict(list)
        for terms, area in self._empty_objects(subject):
            grouped[terms].append(area)
        return _joined(grouped)

    def traces(self, subject: Property) -> Areas:
        """Where the caller may look for anything at or below the property, and when."""
        grouped: dict[Terms, list[Area]] = defaultdict(list)
        for terms, area in self._traces(subject.path, any_feature=subject.any_feature):
            grouped[terms].append(area)
        return _joined(grouped)

    def candidates(self) -> tuple[Sight, Areas]:
        """The policies whose things are seen whatever they have, and what the others' things need to have."""
        # Not one sight of three paths: a class against one of them says nothing about the others.
        seen = tuple(dict.fromkeys(layer for path in _ALWAYS_THERE for layer in self._sight(path)))
        if self.is_everywhere(seen):
            return seen, {}
        known = frozenset[str]().union(*(layer.by for layer in seen if not layer.against))
        more: dict[Terms, Sequence[Area]] = {}
        for terms, areas in self.traces(Property(())).items():
            sight = tuple(replace(layer, by=layer.by - known) for layer in terms.sight if layer.by - known)
            if sight:
                more[replace(terms, sight=sight)] = [*more.get(replace(terms, sight=sight), ()), *areas]
        return seen, more

    def said(self, path: Pointer) -> tuple[Sight, Sight, list[str]]:
        """Where the path may be read, where all of it may be, and the members that rules speak of by themselves."""
        node = self._node(path)
        return self._sight(path), self._whole(path), sorted(node.children) if node is not None else []

    def is_everywhere(self, sight: Sight) -> bool:
        """Whether every policy that says anything to the caller is meant."""
        return any(not layer.against and layer.by == self.everyone for layer in sight)

    def _values(self, subject: Property) -> Iterator[tuple[Terms, Area]]:
        path = subject.path
        if not subject.any_feature:
            judged = _judged(path)
            terms = Terms(self._whole(judged), tuple(self._arrays_above(judged)))
            yield terms, Area(path_key(path) + VALUE, path_key(path) + BELOW)
            return
        low, high, besides = path_key(path) + VALUE, path_key(path) + BELOW, tuple(map(feature_text, self._features))
        yield Terms(self._whole(_of(path, _UNNAMED))), Area(low, high, besides=besides)
        for name in self._features:
            judged = _of(path, name)
            arrays = tuple(self._arrays_above(judged))
            yield Terms(self._whole(judged), arrays), Area(low, high, only=(feature_text(name),))

    def _empty_objects(self, subject: Property) -> Iterator[tuple[Terms, Area]]:
        path, key = subject.path, path_key(subject.path)
        for name in self._features if subject.any_feature else [None]:
            judged = _judged(path) if name is None else _of(path, name)
            node = self._node(judged)
            if node is not None and node.revokes_below:
                terms = Terms(self._sight(judged), tuple(self._arrays_above(judged)))
                area = _empty_object(key, key if name is None else path_key(judged))
                yield terms, area if name is None else replace(area, only=(feature_text(name),))

    def _traces(self, path: Pointer, *, any_feature: bool) -> Iterator[tuple[Terms, Area]]:
        if path[:1] == METADATA:
            prefix = path_key(METADATA) + BELOW
            for terms, area in self._cut(_judged(path), tuple(self._arrays_above(_judged(path)))):
                unless = tuple(prefix + key for key in area.unless)
                yield terms, replace(area, low=prefix + area.low, high=prefix + area.high, unless=unless)
            return
        if not any_feature:
            yield from self._cut(path, tuple(self._arrays_above(path)))
            return
        key, besides = path_key(path), tuple(map(feature_text, self._features))
        yield Terms(self._sight(_of(path, _UNNAMED))), Area(key + VALUE, key + BEYOND, besides=besides)
        for name in self._features:
            cut = len(path_key(("features", name)))
            named = _of(path, name)
            for terms, area in self._cut(named, tuple(self._arrays_above(named))):
                low, high = SOME_FEATURE + area.low[cut:], SOME_FEATURE + area.high[cut:]
                yield terms, replace(area, low=low, high=high, only=(feature_text(name),))

    def _cut(self, path: Pointer, arrays: tuple[Array, ...]) -> Iterator[tuple[Terms, Area]]:
        """The parts of one path and below: what rules speak of more closely is cut out and looked at by itself."""
        low, between, high = _span(path)
        node, sight = self._node(path), self._sight(path)
        if node is None or not node.children:
            yield Terms(sight, arrays), Area(low, high)
            return
        if path:
            yield Terms(self._whole(path), arrays), Area(low, between)
            if node.revokes_below:
                yield Terms(sight, arrays), _empty_object(path_key(path), path_key(path))
        arrays += tuple(self._array(path))
        low = between
        for child in sorted(((*path, name) for name in node.children), key=path_key):
            child_low, _, child_high = _span(child)
            if low < child_low:
                yield Terms(sight, arrays), Area(low, child_low)
            yield from self._cut(child, arrays)
            low = child_high
        yield Terms(sight, arrays), Area(low, high)

    def _chain(self, path: Pointer) -> list[_Node]:
        """The nodes on the way to the path, as far as rules go."""
        chain = [self._root]
        for name in path:
            node = chain[-1].children.get(name)
            if node is None:
                break
            chain.append(node)
        return chain

    def _node(self, path: Pointer) -> _Node | None:
        chain = self._chain(path)
        return chain[-1] if len(chain) > len(path) else None

    def _sight(self, path: Pointer) -> Sight:
        """Where the deepest rule at or above the path grants."""
        return _layers(self._chain(path), set())

    def _whole(self, path: Pointer) -> Sight:
        """Where it does and nothing below the path is revoked."""
        node = self._node(path)
        return _layers(self._chain(path), set() if node is None else set(node.revokes_below))

    def _arrays_above(self, path: Pointer) -> Iterator[Array]:
        for length in range(1, len(path)):
            yield from self._array(path[:length])

    def _array(self, path: Pointer) -> Iterator[Array]:
        """The path, if rules below it can hide an array there. Attributes and features are objects always."""
        if len(path) < (3 if path[:1] == ("features",) else 2):
            return
        node = self._node(path)
        if node is not None and node.children:
            whole = self._whole(path)
            if not self.is_everywhere(whole):
                yield Array(path_key(path), whole)


def _plant(node: _Node, path: Pointer, name: str, *, granted: bool) -> None:
    for key in path:
        if not granted:
            node.revokes_below.add(name)
        node = node.children.setdefault(key, _Node())
    (node.grants if granted else node.revokes).add(name)


def _layers(chain: Sequence[_Node], against: set[str]) -> Sight:
    """From the deepest rule up: who grants there, and who revokes there or deeper."""
    layers: list[Layer] = []
    for node in reversed(chain):
        against |= node.revokes
        by = frozenset(node.grants - against)
        if by and layers and len(layers[-1].against) == len(against):
            layers[-1] = replace(layers[-1], by=layers[-1].by | by)
        elif by:
            layers.append(Layer(by, frozenset(against)))
    return tuple(layers)


def _joined(grouped: Mapping[Terms, Iterable[Area]]) -> Areas:
    """Without what nobody may read, and with one area for features that differ in nothing but their names."""
    joined: dict[Terms, list[Area]] = {}
    for terms, areas in grouped.items():
        if terms.sight:
            names: dict[Area, tuple[str, ...]] = defaultdict(tuple)
            for area in areas:
                names[replace(area, only=None)] += area.only or ()
            joined[terms] = [replace(area, only=only or None) for area, only in names.items()]
    return joined


def _empty_object(key: str, of: str) -> Area:
    """Nothing but ``{}``: what else counts as empty has a key of its own, or is an array's."""
    marks = (MANY, NULL, STRING)
    empty = key + VALUE + EMPTY
    return Area(empty, empty + VALUE, unless=tuple(of + VALUE + mark for mark in marks))


def _span(path: Pointer) -> tuple[str, str, str]:
    """Where the keys at a path begin, where those below it begin, and where these end."""
    if not path:
        return "", "", SOME_FEATURE
    key = path_key(path)
    return key + VALUE, key + BELOW, key + BEYOND


def _judged(path: Pointer) -> Pointer:
    """The path whose rules decide: metadata is as readable as what it is about."""
    return path[1:] if path[:1] == METADATA else path


def _of(path: Pointer, feature: str) -> Pointer:
    return ("features", feature, *path[2:])
