"""RQL as conditions on the search model: the visitor beside ``protocol.rql.matching``.

Every question about a value becomes a semi-join with the keys of the thing, cut down to what the caller may read. What
is hidden is absent. Questions about columns of ``search_things`` need no keys. There are no casts: a key that was made
for a number lies in a range of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar, assert_never

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    any_,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

from projections.search import patterns
from projections.search.documents import in_document, shown_paths
from projections.search.keys import (
    EMPTY,
    MANY,
    STRING,
    VALUE,
    path_key,
    scalar_key,
    string_text,
)
from projections.search.readers import Area, Combination, Readers
from projections.search.tables import grants, keys, things
from protocol.rql.literals import resolved
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query

Scalar: TypeAlias = str | int | float | bool | None
Condition: TypeAlias = ColumnElement[bool]
KeyTest: TypeAlias = Callable[[FromClause], Condition]
Answer = TypeVar("Answer")

TEXT_COLUMNS: Final[dict[tuple[str, ...], ColumnElement[str]]] = {
    ("thingId",): things.c.thing_id,
    ("_namespace",): things.c.namespace,
    ("policyId",): things.c.policy_id,
    ("_created",): things.c.created,
    ("_modified",): things.c.modified,
}
REVISION: Final = ("_revision",)
# Any, because one of them holds numbers.
COLUMNS: Final[dict[tuple[str, ...], ColumnElement[Any]]] = {
    **TEXT_COLUMNS,
    REVISION: things.c.revision,
}
_ORDERED: Final = frozenset({"gt", "ge", "lt", "le"})
OPEN_TO_ALL: Final = frozenset({("thingId",), ("_namespace",)})
"""Who may see anything of a thing may ask for these."""

_LONG: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Some key of the thing fulfils the test. Several of these joined by ``or`` are one semi-join."""

    test: KeyTest

    def condition(self) -> Condition:
        found = keys.alias()
        return exists().where(found.c.thing_id == things.c.thing_id, self.test(found))


_Part: TypeAlias = "_Keyed | Condition"


@dataclass(frozen=True, slots=True)
class Compiler:
    """Conditions on ``search_things`` for one caller at one moment."""

    readers: Readers
    now: datetime
    partly_indexed: tuple[str, ...] = ()
    """The searched namespaces whose things have values without keys."""

    def candidate(self) -> Condition:
        """Whether the caller may see the thing at all."""
        parts = []
        for areas, combinations in self.readers.candidates().items():
            member = self._member(combinations)
            parts.append(member if areas is None else and_(member, self._seen(areas, combinations[0])))
        return or_(false(), *parts)

    def _seen(self, areas: Iterable[Area], combination: Combination) -> Condition:
        """Whether there is something in the areas; where not every value has a key, the document is asked as well."""
        keyed = _Keyed(_within(areas)).condition()
        if not self.partly_indexed:
            return keyed
        paths = shown_paths(self.readers.trees[combination], self.readers.paths)
        return or_(keyed, and_(in_namespaces(self.partly_indexed), in_document(paths)))

    def condition(self, query: Query) -> Condition:
        """Whether the query holds; only meaningful together with ``candidate``."""
        return _plain(self._visit(query))

    def readable(self, path: tuple[str, ...]) -> Condition:
        """Whether the caller may read the value at the path; only meaningful together with ``candidate``."""
        return _plain(self._chosen(self.readers.permitted(path), lambda allowed: true() if allowed else false()))

    def _visit(self, query: Query) -> _Part:
        match query:
            case And(queries):
                spans = (_plain(self._at(subject, test)) for subject, test in _spans(queries, self.now))
                return and_(true(), *spans, *(_plain(self._visit(inner)) for inner in queries))
            case Or(queries):
                return _either([self._visit(inner) for inner in queries])
            case Not(queries):
                return not_(_plain(_either([self._visit(inner) for inner in queries])))
            case Exists(subject):
                return self._exists(subject)
            case Empty(subject):
                return self._empty(subject)
            case In(subject, values):
                return self._equals(subject, [resolved(value, self.now) for value in values])
            case Comparison(relation, subject, value):
                return self._compares(relation, subject, resolved(value, self.now))
            case _:
                assert_never(query)

    def _compares(self, relation: str, subject: Property, value: Scalar) -> _Part:
        match relation:
            case "eq":
                return self._equals(subject, [value])
            case "ne":
                return and_(_plain(self._exists(subject)), not_(_plain(self._equals(subject, [value]))))
            case _ if subject.path in COLUMNS:
                return self._of_column(subject, _column_test(relation, subject.path, value))
            case _:
                return self._at(subject, _key_test(relation, path_key(subject.path) + VALUE, value))

    def _exists(self, subject: Property) -> _Part:
        if subject.path in COLUMNS:
            return self._of_column(subject, COLUMNS[subject.path].is_not(None))
        return self._chosen(self.readers.areas(subject, below=True), lambda areas: _Keyed(_within(areas)))

    def _empty(self, subject: Property) -> _Part:
        absent = not_(_plain(self._exists(subject)))
        if subject.path in COLUMNS:
            return absent
        key = path_key(subject.path) + VALUE + EMPTY
        return or_(absent, _plain(self._at(subject, lambda found: found.c.key == key)))

    def _equals(self, subject: Property, values: Sequence[Scalar]) -> _Part:
        if subject.path in TEXT_COLUMNS:
            return self._of_column(subject, _among(TEXT_COLUMNS[subject.path], [v for v in values if _is_text(v)]))
        if subject.path == REVISION:
            return self._of_column(subject, or_(false(), *(_revision_test("eq", value) for value in values)))
        wanted = [path_key(subject.path) + VALUE + scalar_key(value) for value in values]
        return self._at(subject, lambda found: _among(found.c.key, wanted))

    def _of_column(self, subject: Property, test: Condition) -> Condition:
        return test if subject.path in OPEN_TO_ALL else and_(self.readable(subject.path), test)

    def _at(self, subject: Property, test: KeyTest) -> _Part:
        """Some value at the property that the caller may read fulfils the test."""

        def part(areas: tuple[Area, ...]) -> _Keyed:
            # The test names the path itself, so only what is said of features is left to say.
            return _Keyed(lambda found: and_(test(found), or_(false(), *(_inside(found, area) for area in areas))))

        return self._chosen(self.readers.areas(subject, below=False), part)

    def _chosen(self, groups: Mapping[Answer, Sequence[Combination]], part: Callable[[Answer], _Part]) -> _Part:
        """The part for the combination that the thing's policy has; none of it where there is nothing to be read."""
        if len(groups) == 1:
            (only,) = groups
            return part(only) if only else false()
        return or_(
            false(), *(and_(self._member(found), _plain(part(answer))) for answer, found in groups.items() if answer)
        )

    def _member(self, combinations: Sequence[Combination]) -> Condition:
        """Whether the thing's policy has one of these combinations for the caller."""
        meeting = {name for found in self.readers.trees for name in found.classes if len(found.classes) > 1}
        simple: list[str] = []
        parts: list[Condition] = []
        for found in combinations:
            if found.scopes or len(found.classes) > 1 or found.classes[0] in meeting:
                parts.append(self._exactly(found, meeting))
            else:
                simple.append(found.classes[0])
        if simple:
            parts.append(self._has(simple))
        return or_(false(), *parts)

    def _exactly(self, combination: Combination, meeting: set[str]) -> Condition:
        parts = [self._has([name]) for name in combination.classes]
        others = sorted(meeting - set(combination.classes))
        if others and meeting.intersection(combination.classes):
            parts.append(not_(self._has(others)))
        for scope, inside in combination.scopes:
            covered = or_(false(), *map(_covers, scope))
            parts.append(covered if inside else not_(covered))
        return and_(true(), *parts)

    def _has(self, classes: Sequence[str]) -> Condition:
        given = grants.alias()
        return exists().where(
            given.c.policy_id == things.c.policy_id,
            _among(given.c.subject, self.readers.subjects),
            _among(given.c["class"], classes),
        )


def in_namespaces(namespaces: Iterable[str]) -> Condition:
    """Whether the thing is in one of the namespaces: ranges of thing ids."""
    column = things.c.thing_id
    return or_(false(), *(and_(column >= f"{name}:", column < f"{name};") for name in namespaces))


def shown_among(compiler: Compiler, namespaces: Sequence[str]) -> Select[tuple[str]]:
    """Those of the namespaces that hold something the caller may see."""
    named = func.unnest(literal(list(namespaces), ARRAY(Text))).table_valued("name").render_derived()
    first, behind = named.c.name.concat(":"), named.c.name.concat(";")
    of_namespace = and_(things.c.thing_id >= first, things.c.thing_id < behind)
    return select(named.c.name).where(exists(select(1).where(of_namespace, compiler.candidate())))


def _spans(queries: Sequence[Query], now: datetime) -> Iterator[tuple[Property, KeyTest]]:
    """What follows from several bounds on one property, said once more because it is far more selective than each.

    A value lies within all bounds, or the thing has several values there. The bounds themselves are still asked for.
    """
    bounds: dict[Property, list[tuple[str, str]]] = defaultdict(list)
    for query in queries:
        if isinstance(query, Comparison) and query.relation in _ORDERED and query.property.path not in COLUMNS:
            value = resolved(query.value, now)
            if value is not None:
                bounds[query.property].append(_range(query.relation, path_key(query.property.path) + VALUE, value))
    for subject, ranges in bounds.items():
        if len(ranges) > 1:
            low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
            yield subject, _span_test(low, high, path_key(subject.path) + VALUE + MANY)


def _span_test(low: str, high: str, many: str) -> KeyTest:
    return lambda found: or_(and_(found.c.key >= low, found.c.key <= high), found.c.key == many)


def _range(relation: str, prefix: str, value: str | float | bool) -> tuple[str, str]:  # noqa: FBT001 - a value
    """The least and the greatest key that can fulfil the relation, both of the value's class."""
    text = scalar_key(value)
    middle = prefix + text
    return (middle, _next_class(prefix + text[0])) if relation in {"gt", "ge"} else (prefix + text[0], middle)


def _plain(part: _Part) -> Condition:
    return part.condition() if isinstance(part, _Keyed) else part


def _either(parts: Sequence[_Part]) -> _Part:
    tests = [part.test for part in parts if isinstance(part, _Keyed)]
    rest = [part for part in parts if not isinstance(part, _Keyed)]
    keyed = _Keyed(lambda found: or_(false(), *(test(found) for test in tests)))
    if not rest:
        return keyed
    return or_(false(), *rest, *([keyed.condition()] if tests else []))


def _within(areas: Iterable[Area]) -> KeyTest:
    return lambda found: or_(
        false(),
        *(and_(found.c.key >= area.low, found.c.key < area.high, _inside(found, area)) for area in areas),
    )


def _inside(found: FromClause, area: Area) -> Condition:
    """What an area says beside its bounds."""
    if not area.unless:
        return _of_feature(found, area)
    many = keys.alias()
    marks = [path + VALUE + MANY for path in area.unless]
    hidden = exists().where(many.c.thing_id == found.c.thing_id, _among(many.c.key, marks))
    return and_(_of_feature(found, area), not_(hidden))


def _of_feature(found: FromClause, area: Area) -> Condition:
    if area.only is not None:
        return found.c.feature == area.only
    return not_(_among(found.c.feature, area.besides)) if area.besides else true()


def _covers(pattern: str) -> Condition:
    if pattern.endswith(".*"):
        return and_(things.c.namespace >= pattern[:-1], things.c.namespace < pattern[:-2] + "/")
    return things.c.namespace == pattern


def _key_test(relation: str, prefix: str, value: Scalar) -> KeyTest:
    if relation == "like":
        return lambda found: _like(found.c.key, str(value), prefix + STRING)
    if relation == "ilike":
        strings = prefix + STRING
        return lambda found: and_(
            found.c.key >= strings,
            found.c.key < _next_class(strings),
            func.substr(found.c.key, len(strings) + 1).op("~")(patterns.ignoring_case(str(value))),
        )
    if value is None:
        return lambda _: false()
    text = scalar_key(value)
    low, middle, high = prefix + text[0], prefix + text, _next_class(prefix + text[0])
    match relation:
        case "gt":
            return lambda found: and_(found.c.key > middle, found.c.key < high)
        case "ge":
            return lambda found: and_(found.c.key >= middle, found.c.key < high)
        case "lt":
            return lambda found: and_(found.c.key >= low, found.c.key < middle)
        case _:
            return lambda found: and_(found.c.key >= low, found.c.key <= middle)


def _column_test(relation: str, path: tuple[str, ...], value: Scalar) -> Condition:
    if path == REVISION:
        return _revision_test(relation, value)
    if not isinstance(value, str):
        return false()
    column = TEXT_COLUMNS[path]
    match relation:
        case "like":
            return _like(column, value, "")
        case "ilike":
            return column.op("~")(patterns.ignoring_case(value))
        case "gt":
            return column > string_text(value)
        case "ge":
            return column >= string_text(value)
        case "lt":
            return column < string_text(value)
        case _:
            return column <= string_text(value)


def _like(column: ColumnElement[str], pattern: str, before: str) -> Condition:
    """A match that begins with ``before``; its range is spelled out for the index."""
    begin = before + string_text(patterns.prefix(pattern))
    end = patterns.successor(begin)
    matched = column.like(patterns.literal(before) + patterns.like(string_text(pattern)), escape=patterns.ESCAPE)
    return and_(column >= begin, true() if end is None else column < end, matched)


def _revision_test(relation: str, value: Scalar) -> Condition:
    """Revisions are whole numbers of 64 bits; the value may be any number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return false()
    column = things.c.revision
    least, most = (value, value) if isinstance(value, int) else (math.ceil(value), math.floor(value))
    match relation:
        case "eq":
            return column == _long(least) if least == most else false()
        case "gt":
            return column > _long(most)
        case "ge":
            return column >= _long(least)
        case "lt":
            return column < _long(least)
        case "le":
            return column <= _long(most)
        case _:
            return false()


def _long(value: int) -> ColumnElement[int]:
    return literal(min(max(value, -_LONG), _LONG - 1), BigInteger)


def _among(column: ColumnElement[str], values: Sequence[object]) -> Condition:
    if not values:
        return false()
    if len(values) == 1:
        return column == values[0]
    return column == any_(literal(list(values), ARRAY(Text)))


def _is_text(value: Scalar) -> bool:
    return isinstance(value, str) and "\x00" not in value


def _next_class(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
