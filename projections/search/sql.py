"""RQL as conditions on the search model: the visitor beside ``protocol.rql.matching``.

Every question about a value becomes a semi-join with the keys of the thing, cut down to what the caller may read. What
is hidden is absent. Questions about columns of ``search_things`` need no keys.

A condition is as long as the filter times what rules say of its paths, and never longer: nothing is multiplied out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

from sqlalchemy import ColumnElement, FromClause, any_, exists, false, literal, not_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from projections.search.binding import Given, Parameters
from projections.search.comparing import (
    COLUMNS,
    ORDERED,
    Condition,
    KeyTest,
    among,
    between,
    every,
    is_true,
    on_column,
    on_key,
    some,
    within_bounds,
)
from projections.search.documents import in_document, shown_paths
from projections.search.keys import EMPTY, MANY, NULL, VALUE, path_key
from projections.search.readers import Area, Areas, Array, Readers, Sight, Terms
from projections.search.shapes import Group, Presence, Shape, Test
from projections.search.tables import grants, keys, things
from protocol.errors import RqlExpressionInvalid
from protocol.pointers import Pointer
from protocol.rql.tree import Property

JOINED: Final = 6
"""Semi-joins of one statement that may drive it."""

EFFORT: Final = 600
"""Tests, looks and ranges of keys in the statement of one filter: about 100 ms of composing, once."""

OPEN_TO_ALL: Final = frozenset({("thingId",), ("_namespace",)})
"""Who may see anything of a thing may ask for these."""

RANGES: Final = 8
"""Up to so many namespaces are ranges of thing ids, which an index can follow."""


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Some key of the thing fulfils the test. Several of these joined by ``or`` are one semi-join."""

    test: KeyTest


_Part: TypeAlias = "_Keyed | Condition"
_Classes: TypeAlias = "Callable[[frozenset[str]], Condition]"


class Compiler:
    """Conditions on ``search_things`` for callers who have some classes; ``alone``: they have one subject.

    ``partly``: there are namespaces whose things have values without keys.
    """

    def __init__(self, readers: Readers, parameters: Parameters, *, alone: bool, partly: bool = False) -> None:
        self.readers = readers
        self.parameters = parameters
        self._partly = partly
        self._joins = 0
        self._joining = True
        self._effort = 0
        self._filtering = False
        self._subject: ColumnElement[Any] = (
            parameters.bind(Text, lambda given: given.subjects[0])
            if alone
            else any_(parameters.bind(ARRAY(Text), lambda given: list(given.subjects)))
        )

    def candidate(self) -> Condition:
        """Whether the caller may see the thing at all."""
        seen, areas = self.readers.candidates()
        parts = [self._sees(seen, self._has)]
        if areas and self._partly:
            parts.extend(self._seen_otherwise(areas))
        else:
            for terms, found in areas.items():
                parts.append(every(self._when(terms, self._has), self._key(_within(found))))
        return some(*parts)

    def _seen_otherwise(self, areas: Areas) -> Iterator[Condition]:
        """What things need to have to be seen, asked of their documents where these have values without keys."""
        partly = things.c.namespace == any_(self.parameters.bind(ARRAY(Text), lambda given: list(given.partly)))
        ways: dict[Sight, list[Condition]] = defaultdict(list)
        with self._apart():
            for terms, found in areas.items():
                behind = self._behind(terms.arrays, self._has)
                ways[terms.sight].append(every(not_(partly), *behind, _one_key(_within(found))))
        for sight, paths in shown_paths(self.readers).items():
            ways[sight].append(every(partly, in_document(paths)))
        for sight, found_ways in ways.items():
            yield every(self._sees(sight, self._has), some(*found_ways))

    def condition(self, shape: Shape) -> Condition:
        """Whether the filter holds; only meaningful together with ``candidate``.

        Raises ``RqlExpressionInvalid`` for a filter that would take more than ``EFFORT``.
        """
        self._effort, self._filtering = 0, True
        found = self._plain(self._visit(shape))
        self._filtering = False
        return found

    def readable(self, path: Pointer) -> Condition:
        """Whether the caller may read the value at the path; only meaningful together with ``candidate``."""
        return self._when(self.readers.terms(path), self._has_in_sight)

    def value_at(self, subject: Property) -> KeyTest:
        """Whether a key, which is one of a value at the property, may be looked at; beside ``candidate``, too."""
        areas = self.readers.values(subject)

        def test(found: FromClause) -> Condition:
            return some(
                *(
                    every(self._when(terms, self._has_in_sight), some(*(_inside(found, area) for area in where)))
                    for terms, where in areas.items()
                )
            )

        return test

    def _visit(self, shape: Shape) -> _Part:
        if not isinstance(shape, Group):
            self._spend(1)
        match shape:
            case Group("and", shapes):
                return every(*map(self._plain, self._all(shapes)))
            case Group(logic, shapes):
                with self._apart():
                    either = self._either([self._visit(inner) for inner in shapes])
                return either if logic == "or" else not_(self._plain(either))
            case Presence(asked, subject):
                return self._exists(subject) if asked == "exists" else self._empty(subject)
            case Test(relation, subject):
                found = self._compares(shape)
                return (
                    every(self._plain(self._exists(subject)), not_(self._plain(found))) if relation == "ne" else found
                )
            case _:
                assert_never(shape)

    def _compares(self, test: Test) -> _Part:
        if test.subject.path in COLUMNS:
            return self._of_column(test.subject, on_column(test, self.parameters))
        return self._at(test.subject, on_key(test, self.parameters))

    def _all(self, shapes: Sequence[Shape]) -> Iterator[_Part]:
        """What has to hold together, several bounds on one property taken as one."""
        bounds: dict[Property, list[Test]] = defaultdict(list)
        for shape in shapes:
            if isinstance(shape, Test) and _is_bound(shape):
                self._spend(3)
                bounds[shape.subject].append(shape)
            else:
                yield self._visit(shape)
        for subject, tests in bounds.items():
            if len(tests) > 1:
                yield self._at(subject, within_bounds(tests, self.parameters))
            else:
                yield self._compares(tests[0])

    def _exists(self, subject: Property) -> _Part:
        if subject.path in COLUMNS:
            return self._of_column(subject, COLUMNS[subject.path].is_not(None))
        return self._found(self.readers.traces(subject), _within)

    def _empty(self, subject: Property) -> _Part:
        if subject.path in COLUMNS:
            return not_(self._plain(self._exists(subject)))
        key = path_key(subject.path) + VALUE + EMPTY
        with self._apart():
            absent = not_(self._plain(self._exists(subject)))
            objects = self._found(self.readers.empty_objects(subject), _within)
            return some(absent, self._plain(self._at(subject, lambda found: found.c.key == key)), self._plain(objects))

    def _of_column(self, subject: Property, test: Condition) -> Condition:
        return test if subject.path in OPEN_TO_ALL else every(self.readable(subject.path), test)

    def _at(self, subject: Property, test: KeyTest) -> _Part:
        """Some value at the property that the caller may read fulfils the test."""
        # The test names the path itself, so only what is said of features is left to say.
        return self._found(
            self.readers.values(subject),
            lambda areas: lambda found: every(test(found), some(*(_inside(found, area) for area in areas))),
        )

    def _found(self, areas: Areas, test: Callable[[Sequence[Area]], KeyTest]) -> _Part:
        """Some key passes the test for the areas of which the terms are met."""
        parts: list[_Part] = []
        for terms, where in areas.items():
            self._spend(len(where))
            keyed, condition = _Keyed(test(where)), self._when(terms, self._has_in_sight)
            parts.append(keyed if is_true(condition) else every(condition, self._plain(keyed)))
        return self._either(parts)

    def _when(self, terms: Terms, has: _Classes) -> Condition:
        return every(self._sees(terms.sight, has), *self._behind(terms.arrays, has))

    def _behind(self, arrays: Iterable[Array], has: _Classes) -> Iterator[Condition]:
        """Where an array hides what it leads to, unless all of it may be read."""
        closed: list[str] = []
        for array in arrays:
            if array.whole:
                yield some(self._sees(array.whole, has), not_(self._has_key([array.path + VALUE + MANY])))
            else:
                closed.append(array.path + VALUE + MANY)
        if closed:
            yield not_(self._has_key(closed))

    def _sees(self, sight: Sight, has: _Classes) -> Condition:
        parts = [every(has(layer.by), *([not_(self._has(layer.against))] if layer.against else [])) for layer in sight]
        return some(*parts)

    def _has_in_sight(self, classes: frozenset[str]) -> Condition:
        """As ``_has``, for things that the caller may see: some class they have."""
        return true() if classes == self.readers.everyone else self._has(classes)

    def _has(self, classes: frozenset[str]) -> Condition:
        """Whether the thing's policy gives the caller one of the classes."""
        given = grants.alias()
        scoped: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for name in sorted(classes):
            scoped[self.readers.scopes.get(name, ())].append(name)
        parts = [
            every(among(given.c["class"], names), some(*map(_covers, scope)) if scope else true())
            for scope, names in scoped.items()
        ]
        return self._look(given.c.policy_id == things.c.policy_id, given.c.subject == self._subject, some(*parts))

    def _plain(self, part: _Part) -> Condition:
        return self._key(part.test) if isinstance(part, _Keyed) else part

    def _either(self, parts: Sequence[_Part]) -> _Part:
        tests = [part.test for part in parts if isinstance(part, _Keyed)]
        rest = [part for part in parts if not isinstance(part, _Keyed)]
        keyed = _Keyed(lambda found: some(*(test(found) for test in tests)))
        if not rest:
            return keyed if tests else false()
        return some(*rest, *([self._plain(keyed)] if tests else []))

    def _has_key(self, names: Sequence[str]) -> Condition:
        return self._key(lambda found: among(found.c.key, names))

    def _key(self, test: KeyTest) -> Condition:
        found = keys.alias()
        return self._look(found.c.thing_id == things.c.thing_id, test(found))

    def _look(self, *conditions: Condition) -> Condition:
        """Whether there is a row. The database joins the first of these in the best order, and looks up the others.

        To find the best order of very many joins takes it minutes.
        """
        self._spend(1)
        self._joins += self._joining
        if self._joins <= JOINED or not self._joining:
            return exists().where(*conditions)
        return select(literal(1)).where(*conditions).limit(1).scalar_subquery().is_not(None)

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """Where one of several conditions is enough, the database joins nothing."""
        was, self._joining = self._joining, False
        yield
        self._joining = was

    def _spend(self, effort: int) -> None:
        self._effort += effort
        if self._filtering and self._effort > EFFORT:
            raise RqlExpressionInvalid(
                "The filter asks too much at once.",
                f"It takes more than {EFFORT} looks at what a thing has and who may read it. Use fewer properties, "
                "or in(...) instead of many eq(...).",
            )


def _one_key(test: KeyTest) -> Condition:
    """Whether the thing has such a key, looked up thing by thing: beside an ``or`` the database would read them all."""
    found = keys.alias()
    one = select(literal(1)).where(found.c.thing_id == things.c.thing_id, test(found)).limit(1)
    return one.correlate(things).scalar_subquery().is_not(None)


def in_namespaces(count: int, parameters: Parameters) -> Condition:
    """Whether the thing is in one of so many namespaces."""
    if count > RANGES:
        return things.c.namespace == any_(parameters.bind(ARRAY(Text), lambda given: list(given.namespaces)))
    return some(*(_in_namespace(number, parameters) for number in range(count)))


def _in_namespace(number: int, parameters: Parameters) -> Condition:
    def limit(mark: str) -> Callable[[Given], str]:
        return lambda given: given.namespaces[number] + mark

    column = things.c.thing_id
    return every(column >= parameters.bind(Text, limit(":")), column < parameters.bind(Text, limit(";")))


def _is_bound(test: Test) -> bool:
    """Whether it belongs to a range of values that one thing has at one place."""
    return (
        test.relation in ORDERED
        and test.kind != NULL
        and test.subject.path not in COLUMNS
        and not test.subject.any_feature
    )


def _within(areas: Iterable[Area]) -> KeyTest:
    return lambda found: some(
        *(every(between(found.c.key, area.low, area.high), _inside(found, area)) for area in areas)
    )


def _inside(found: FromClause, area: Area) -> Condition:
    """What an area says beside its bounds."""
    of_feature = _of_feature(found, area)
    if not area.unless:
        return of_feature
    other = keys.alias()
    return every(
        of_feature, not_(exists().where(other.c.thing_id == found.c.thing_id, among(other.c.key, area.unless)))
    )


def _of_feature(found: FromClause, area: Area) -> Condition:
    if area.only is not None:
        return among(found.c.feature, area.only)
    return not_(among(found.c.feature, area.besides)) if area.besides else true()


def _covers(pattern: str) -> Condition:
    if pattern.endswith(".*"):
        return every(things.c.namespace >= pattern[:-1], things.c.namespace < pattern[:-2] + "/")
    return things.c.namespace == pattern
