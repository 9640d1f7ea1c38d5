"""A filter without its values: what the text of its statement depends on, and the values in a row beside it.

Two filters of one shape share one statement, which is composed once and then only given other values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, assert_never

from projections.search.keys import BOOLEAN, NULL, NUMBER, STRING
from protocol.errors import RqlExpressionInvalid
from protocol.rql.literals import resolve_time
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, Relation

PATTERN: Final = 512
"""Characters of a pattern. A longer one takes seconds to be made ready, and hardly a value is that long."""

Scalar: TypeAlias = str | int | float | bool | None
Slot: TypeAlias = Scalar | tuple[Scalar, ...]
"""One value, or all those of an ``in``: how many there are makes no difference to a statement."""


@dataclass(frozen=True, slots=True)
class Group:
    """All, some or none of several shapes."""

    logic: Literal["and", "or", "not"]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A property compared to the value in a slot. ``kind`` is the class of the value, ``""`` where it has many."""

    relation: Relation | Literal["in"]
    subject: Property
    slot: int
    kind: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether there is anything at the property, or nothing but an empty value."""

    asked: Literal["exists", "empty"]
    subject: Property


Shape: TypeAlias = Group | Test | Presence


def shaped(query: Query, now: datetime) -> tuple[Shape, tuple[Slot, ...]]:
    """The shape of the query and its values, with placeholders of time filled in."""
    slots: list[Slot] = []
    return _shape(query, now, slots), tuple(slots)


def _shape(query: Query, now: datetime, slots: list[Slot]) -> Shape:
    match query:
        case Comparison(relation, subject, value):
            found = resolve_time(value, now)
            if relation in {"like", "ilike"} and len(str(found)) > PATTERN:
                raise RqlExpressionInvalid(f"The pattern has {len(str(found))} characters; {PATTERN} are the limit.")
            slots.append(found)
            return Test(relation, subject, len(slots) - 1, _kind(found))
        case And(queries):
            return Group("and", tuple([_shape(inner, now, slots) for inner in queries]))
        case Or(queries):
            return Group("or", tuple([_shape(inner, now, slots) for inner in queries]))
        case Not(queries):
            return Group("not", tuple([_shape(inner, now, slots) for inner in queries]))
        case In(subject, values):
            slots.append(tuple([resolve_time(value, now) for value in values]))
            return Test("in", subject, len(slots) - 1, "")
        case Exists(subject):
            return Presence("exists", subject)
        case Empty(subject):
            return Presence("empty", subject)
        case _:
            assert_never(query)


def _kind(value: Scalar) -> str:
    if value is None:
        return NULL
    if isinstance(value, str):
        return STRING
    return BOOLEAN if isinstance(value, bool) else NUMBER
