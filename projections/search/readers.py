"""What a caller may read, in the terms of the search model: which keys, under which policies.

The policies of a fleet resemble each other, so what they say to one caller falls into a few classes. For every class
(or, for callers with several subjects, every combination of classes that meets in some policy) there is one permission
tree, the same that commands are judged by. A query then decides per path and combination what may be looked at, and
the database is told the answer as ranges of keys and as names of classes: no row says who may read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from projections.search.grants import READ, GrantClass
from projections.search.keys import BELOW, BEYOND, SOME_FEATURE, VALUE, feature_text, path_key
from protocol.enforcement.tree import PermissionTree
from protocol.pointers import Pointer
from protocol.rql.tree import Property

_UNNAMED: Final = "\x00"
"""The id of a feature that no rule names, because it can be none."""

METADATA: Final = ("_metadata",)
_ALWAYS_THERE: Final = (("thingId",), ("policyId",))


@dataclass(frozen=True, slots=True)
class Area:
    """Keys from ``low`` up to, not including, ``high``; of feature ``only``, or of any but those in ``besides``.

    None of it may be read where a path in ``unless`` leads through an array: an array is one leaf to a policy.
    """

    low: str
    high: str
    only: str | None = None
    besides: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Combination:
    """Things of policies that have exactly these classes for the caller.

    ``scopes`` says of namespace lists whether the thing's namespace has to be in them or must not be.
    """

    classes: tuple[str, ...]
    scopes: tuple[tuple[tuple[str, ...], bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Readers:
    """The trees of one caller, by combination."""

    subjects: tuple[str, ...]
    trees: Mapping[Combination, PermissionTree]
    paths: frozenset[Pointer]
    """Every path that some rule speaks of."""

    def areas(self, subject: Property, *, below: bool) -> Mapping[tuple[Area, ...], Sequence[Combination]]:
        """Where the caller may look for the property, and for which combinations that holds.

        ``below``: also what lies below the property, for the question whether it exists; else the values at it.
        """
        grouped: dict[tuple[Area, ...], list[Combination]] = defaultdict(list)
        for combination, tree in self.trees.items():
            find = self._below if below else self._at
            grouped[tuple(find(tree, subject.path, any_feature=subject.any_feature))].append(combination)
        return grouped

    def candidates(self) -> Mapping[tuple[Area, ...] | None, Sequence[Combination]]:
        """Where something has to be for the thing to be seen at all; ``None`` where every thing is seen."""
        grouped: dict[tuple[Area, ...] | None, list[Combination]] = defaultdict(list)
        for combination, tree in self.trees.items():
            seen = tree.allowed(()) or any(map(tree.allowed, _ALWAYS_THERE))
            grouped[None if seen else tuple(self._segments(tree, ()))].append(combination)
        return grouped

    def permitted(self, path: Pointer) -> Mapping[bool, Sequence[Combination]]:
        """Whether the single value at the path may be read."""
        grouped: dict[bool, list[Combination]] = defaultdict(list)
        for combination, tree in self.trees.items():
            grouped[tree.unrestricted(_judged(path))].append(combination)
        return grouped

    def _at(self, tree: PermissionTree, path: Pointer, *, any_feature: bool) -> Iterator[Area]:
        low, high = path_key(path) + VALUE, path_key(path) + BELOW
        if not any_feature:
            judged = _judged(path)
            if tree.unrestricted(judged):
                yield Area(low, high, unless=self._leaves_above(tree, judged))
            return
        named = self._features()
        if tree.unrestricted(_of(path, _UNNAMED)):
            yield Area(low, high, besides=tuple(map(feature_text, named)))
        for name in named:
            if tree.unrestricted(_of(path, name)):
                yield Area(low, high, only=feature_text(name), unless=self._leaves_above(tree, _of(path, name)))

    def _below(self, tree: PermissionTree, path: Pointer, *, any_feature: bool) -> Iterator[Area]:
        if path[:1] == METADATA:
            prefix = path_key(METADATA) + BELOW
            for area in self._segments(tree, _judged(path)):
                yield replace(area, low=prefix + area.low, high=prefix + area.high)
            return
        if not any_feature:
            yield from self._segments(tree, path)
            return
        named = self._features()
        if tree.allowed(_of(path, _UNNAMED)):
            yield Area(path_key(path) + VALUE, path_key(path) + BEYOND, besides=tuple(map(feature_text, named)))
        for name in named:
            prefix = path_key(("features", name))
            for area in self._segments(tree, _of(path, name)):
                yield replace(
                    area,
                    low=SOME_FEATURE + area.low[len(prefix) :],
                    high=SOME_FEATURE + area.high[len(prefix) :],
                    only=feature_text(name),
                )

    def _segments(self, tree: PermissionTree, path: Pointer) -> Iterator[Area]:
        """The readable parts of what is at and below the path, in order."""
        yield from self._cut(tree, path, self._leaves_above(tree, path))

    def _cut(self, tree: PermissionTree, path: Pointer, unless: tuple[str, ...]) -> Iterator[Area]:
        """The parts of one path and below: what rules speak of more closely is cut out and looked at by itself."""
        low, between, high = _span(path)
        children = self._children(path)
        if not children:
            if tree.allowed(path):
                yield Area(low, high, unless=unless)
            return
        if path and tree.unrestricted(path):
            yield Area(low, between, unless=unless)
        unless += self._leaf(tree, path)
        low = between
        for child in children:
            child_low, _, child_high = _span(child)
            if tree.allowed(path) and low < child_low:
                yield Area(low, child_low, unless=unless)
            yield from self._cut(tree, child, unless)
            low = child_high
        if tree.allowed(path):
            yield Area(low, high, unless=unless)

    def _children(self, path: Pointer) -> list[Pointer]:
        """The paths one key below that lie on the way to some rule, in the order of their keys."""
        depth = len(path) + 1
        below = {other[:depth] for other in self.paths if len(other) >= depth and other[: depth - 1] == path}
        return sorted(below, key=path_key)

    def _leaves_above(self, tree: PermissionTree, path: Pointer) -> tuple[str, ...]:
        return tuple(key for length in range(1, len(path)) for key in self._leaf(tree, path[:length]))

    def _leaf(self, tree: PermissionTree, path: Pointer) -> tuple[str, ...]:
        """The path's key if an array there would be hidden, although something below it may be read.

        Attributes, features and a feature are objects always.
        """
        if len(path) < (3 if path[:1] == ("features",) else 2) or not self._children(path):
            return ()
        return () if tree.unrestricted(path) else (path_key(path),)

    def _features(self) -> list[str]:
        return sorted({path[1] for path in self.paths if len(path) > 1 and path[0] == "features"})


def readers_of(
    subjects: Sequence[str], classes: Iterable[GrantClass], combinations: Iterable[tuple[str, ...]]
) -> Readers:
    """The trees for the classes of a caller, as they are combined in policies."""
    known = {found.name: found for found in classes}
    trees: dict[Combination, PermissionTree] = {}
    for names in combinations:
        # A class may be gone between two statements of one query; the next one sees it.
        met = [known[name] for name in names if name in known]
        scopes = sorted({found.namespaces for found in met if found.namespaces})
        for truths in product((True, False), repeat=len(scopes)):
            covered = {scope for scope, truth in zip(scopes, truths, strict=True) if truth}
            rules = [
                rule for found in met if not found.namespaces or found.namespaces in covered for rule in found.rules
            ]
            if rules:
                trees[Combination(names, tuple(zip(scopes, truths, strict=True)))] = PermissionTree(rules, READ)
    paths = frozenset(rule.path for found in known.values() for rule in found.rules)
    return Readers(subjects=tuple(subjects), trees=trees, paths=paths)


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
