"""Does this thing match? RQL evaluated in memory, for conditions, patch conditions and event filters.

The semantics are those of the search index (Ditto documentation, page *basic-rql*), so that a condition and a search
never disagree: an array matches by any of its elements, nested arrays are flattened, and the members of objects in
arrays are reached by a longer path. Numbers compare with numbers, strings with strings by code point, booleans with
booleans; nothing is converted. ``features/*/...`` has the values of all features together.

Where this departs from Ditto's Java, which evaluates conditions by other rules than searches:

- a stored ``"5"`` does not equal ``5``, is not ``gt`` 4, and ``like`` looks at strings only;
- with ``features/*`` and with arrays ``ne`` means that no value equals, and ``empty`` that one of them
  is empty or there is none.

What is kept of Java is ``ne``: where the property is absent it is true in memory and false in the index. Whoever wants
the same from both writes ``not(eq(...))``, or ``and(exists(...),ne(...))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, assert_never

from protocol.json import JsonObject, JsonValue
from protocol.rql.literals import resolve_time
from protocol.rql.patterns import is_like
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, Relation

Scalar: TypeAlias = str | int | float | bool | None

MAX_EFFORT: Final = 2_000_000
"""Values compared, and hundreds of characters looked through, for one answer: some tenths of a second."""

_ORDERED: Final[dict[str, Callable[[int], bool]]] = {
    "gt": lambda sign: sign > 0,
    "ge": lambda sign: sign >= 0,
    "lt": lambda sign: sign < 0,
    "le": lambda sign: sign <= 0,
}


class TooCostly(Exception):
    """The query on this document would look at more than ``MAX_EFFORT``."""


def matches(query: Query, document: JsonObject, *, now: datetime, ne_absent: bool = True) -> bool:
    """Whether the query holds for the document: a thing with its ``_revision``, ``_modified`` and the like.

    ``ne_absent``: what ``ne`` answers where the property is absent; the index answers False. Raises ``TooCostly``.
    """
    return _Matching(document, now, ne_absent).holds(query)


@dataclass(slots=True)
class _Matching:
    """One document under question. What a property has is looked up once, however often it is compared."""

    document: JsonObject
    now: datetime
    ne_absent: bool
    effort: int = 0
    known: dict[Property, list[JsonValue]] = field(default_factory=dict)

    def holds(self, query: Query) -> bool:
        match query:
            case And(queries):
                return all(map(self.holds, queries))
            case Or(queries):
                return any(map(self.holds, queries))
            case Not(queries):
                return not any(map(self.holds, queries))
            case Exists(subject):
                return bool(self._found(subject))
            case Empty(subject):
                found = self._found(subject)
                return not found or any(value is None or value in ("", [], {}) for value in found)
            case In(subject, values):
                wanted = {(_kind(value), value) for value in (resolve_time(each, self.now) for each in values)}
                return any((_kind(scalar), scalar) in wanted for scalar in self._scalars(subject))
            case Comparison(relation, subject, value):
                return self._compares(relation, subject, resolve_time(value, self.now))
            case _:
                assert_never(query)

    def _compares(self, relation: Relation, subject: Property, value: Scalar) -> bool:
        match relation:
            case "eq":
                return any(_equal(scalar, value) for scalar in self._scalars(subject))
            case "ne":
                if not self._found(subject):
                    return self.ne_absent
                return not any(_equal(scalar, value) for scalar in self._scalars(subject))
            case "like" | "ilike":
                return any(self._is_like(scalar, str(value), relation) for scalar in self._scalars(subject))
            case "gt" | "ge" | "lt" | "le":
                fits = _ORDERED[relation]
                return any(
                    (sign := _order(scalar, value)) is not None and fits(sign) for scalar in self._scalars(subject)
                )
            case _:
                assert_never(relation)

    def _is_like(self, scalar: Scalar, pattern: str, relation: Relation) -> bool:
        if not isinstance(scalar, str):
            return False
        # Question marks are followed character by character, each step taking longer the longer the pattern is.
        step = 1 + len(pattern) // 1_000 if "?" in pattern else 1 / 100
        self._spend(int(len(scalar) * step))
        return is_like(pattern, scalar, ignore_case=relation == "ilike")

    def _scalars(self, subject: Property) -> Iterator[Scalar]:
        for value in self._found(subject):
            for scalar in _flat(value):
                self._spend(1)
                yield scalar

    def _found(self, subject: Property) -> list[JsonValue]:
        """Every value at the property; null is one of them, nothing at all is absence."""
        found = self.known.get(subject)
        if found is None:
            found = self.known[subject] = list(self._walk(self.document, subject, 0))
        self._spend(1 + len(found))
        return found

    def _walk(self, value: JsonValue, subject: Property, place: int) -> Iterator[JsonValue]:
        path = subject.path
        if place == len(path):
            yield value
        elif isinstance(value, list):
            self._spend(len(value))
            for item in value:
                yield from self._walk(item, subject, place)
        elif isinstance(value, dict):
            if place == 1 and subject.any_feature:
                self._spend(len(value))
                for feature in value.values():
                    yield from self._walk(feature, subject, place + 1)
            elif path[place] in value:
                yield from self._walk(value[path[place]], subject, place + 1)

    def _spend(self, effort: int) -> None:
        self.effort += effort
        if self.effort > MAX_EFFORT:
            raise TooCostly


def _equal(one: Scalar, other: Scalar) -> bool:
    return _kind(one) is _kind(other) and one == other


def _order(one: Scalar, other: Scalar) -> int | None:
    """Negative, zero or positive; nothing when the two cannot be compared."""
    if _kind(one) is not _kind(other) or one is None or other is None:
        return None
    return (one > other) - (one < other)  # type: ignore[operator]  # the same kind, so both strings or both numbers


def _kind(value: Scalar) -> type:
    """The class of values that compare with each other: an identifier is a string, a boolean is no number."""
    if isinstance(value, str):
        return str
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _flat(value: JsonValue) -> Iterator[Scalar]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    elif not isinstance(value, dict):
        yield value
