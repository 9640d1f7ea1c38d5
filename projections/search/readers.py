"""What a caller may read, in the terms of the search model: which keys, under which policies.

The policies of a fleet resemble each other, so what they say to one caller falls into a few classes. For every class
(or, for callers with several subjects, every combination of classes that meets in some policy) there is one permission
tree, the same that commands are judged by. A query then decides per path and combination what may be looked at, and
the database is told the answer as ranges of keys and as names of classes: no row says who may read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from projections.search.grants import READ, GrantClass
from projections.search.keys import BELOW, BEYOND, SOME_FEATURE, VALUE, feature_text, path_key
from protocol.enforcement.tree import PermissionTree
from protocol.pointers import Pointer
from protocol.rql.tree import Property

_UNNAMED: Final = "\x00"
"""The id of a feature that no rule names, because it can be none."""

_ALWAYS_THERE: Final = (("thingId",), ("policyId",))


@dataclass(frozen=True, slots=True)
class Area:
    """Keys from ``low`` up to, not including, ``high``; of feature ``only``, or of any but those in ``besides``."""

    low: str
    high: str
    only: str | None = None
    besides: tuple[str, ...] = ()


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
            grouped[tree.allowed(path)].append(combination)
        return grouped

    def _at(self, tree: PermissionTree, path: Pointer, *, any_feature: bool) -> Iterator[Area]:
        low, high = path_key(path) + VALUE, path_key(path) + BELOW
        if not any_feature:
            if tree.allowed(path):
                yield Area(low, high)
            return
        named = self._features()
        usual = tree.allowed(_of(path, _UNNAMED))
        exceptions = [name for name in named if tree.allowed(_of(path, name)) != usual]
        if usual:
            yield Area(low, high, besides=tuple(map(feature_text, exceptions)))
        else:
            yield from (Area(low, high, only=feature_text(name)) for name in exceptions)

    def _below(self, tree: PermissionTree, path: Pointer, *, any_feature: bool) -> Iterator[Area]:
        if not any_feature:
            yield from self._segments(tree, path)
            return
        named = self._features()
        if tree.allowed(_of(path, _UNNAMED)):
            yield Area(path_key(path) + VALUE, path_key(path) + BEYOND, besides=tuple(map(feature_text, named)))
        for name in named:
            prefix = path_key(("features", name))
            for area in self._segments(tree, _of(path, name)):
                yield Area(
                    SOME_FEATURE + area.low[len(prefix) :],
                    SOME_FEATURE + area.high[len(prefix) :],
                    only=feature_text(name),
                )

    def _segments(self, tree: PermissionTree, path: Pointer) -> Iterator[Area]:
        inner = {other for other in self.paths if len(other) > len(path) and other[: len(path)] == path}
        low, high = _span(path)
        yield from _cut(tree, path, inner, low, high)

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


def _cut(tree: PermissionTree, path: Pointer, inner: set[Pointer], low: str, high: str) -> Iterator[Area]:
    """The readable parts of the span of a path, in order: rules below cut it into pieces."""
    readable = tree.allowed(path)
    for child in sorted((other for other in inner if _is_outermost(other, inner)), key=path_key):
        child_low, child_high = _span(child)
        if readable and low < child_low:
            yield Area(low, child_low)
        yield from _cut(tree, child, {other for other in inner if _is_within(other, child)}, child_low, child_high)
        low = child_high
    if readable:
        yield Area(low, high)


def _span(path: Pointer) -> tuple[str, str]:
    return (path_key(path) + VALUE, path_key(path) + BEYOND) if path else ("", SOME_FEATURE)


def _is_within(path: Pointer, other: Pointer) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _is_outermost(path: Pointer, others: set[Pointer]) -> bool:
    return not any(_is_within(path, other) for other in others)


def _of(path: Pointer, feature: str) -> Pointer:
    return ("features", feature, *path[2:])
