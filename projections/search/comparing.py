"""Comparisons as conditions on keys and on columns of ``search_things``, with values that come later.

There are no casts: a key that was made for a number lies in a range of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, FromClause, and_, any_, exists, false, func, literal, or_, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.types import BigInteger, Text

from projections.search import patterns
from projections.search.binding import Given, Parameters
from projections.search.keys import MANY, NULL, NUMBER, STRING, VALUE, path_key, scalar_key, string_text
from projections.search.shapes import Scalar, Slot, Test
from projections.search.tables import keys, things

Condition: TypeAlias = ColumnElement[bool]
KeyTest: TypeAlias = Callable[[FromClause], Condition]

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
ORDERED: Final = frozenset({"gt", "ge", "lt", "le"})

_LONG: Final = 1 << 63
_LAST: Final = "\U0010ffff"
"""Above every text that a column of a thing has."""
_TEXTS: Final = ARRAY(Text)


def every(*conditions: Condition) -> Condition:
    """All of them, without those that ask nothing."""
    asked = [condition for condition in conditions if not is_true(condition)]
    if any(map(is_false, asked)):
        return false()
    if len(asked) < 2:
        return asked[0] if asked else true()
    return and_(*asked)


def some(*conditions: Condition) -> Condition:
    """One of them at least, without those that cannot be."""
    possible = [condition for condition in conditions if not is_false(condition)]
    if any(map(is_true, possible)):
        return true()
    if len(possible) < 2:
        return possible[0] if possible else false()
    return or_(*possible)


def is_true(condition: Condition) -> bool:
    """Whether nothing is asked."""
    return isinstance(condition, True_)


def is_false(condition: Condition) -> bool:
    """Whether it can never be."""
    return isinstance(condition, False_)


def on_key(test: Test, parameters: Parameters) -> KeyTest:
    """What a key has to be for the value that it stands for to pass the test."""
    prefix, slot = path_key(test.subject.path) + VALUE, test.slot
    match test.relation:
        case "eq" | "ne":
            key = parameters.bind(Text, lambda given: prefix + scalar_key(_one(given, slot)))
            return lambda found: found.c.key == key
        case "in":
            keys = parameters.bind(_TEXTS, lambda given: [prefix + scalar_key(one) for one in _all(given, slot)])
            return lambda found: found.c.key == any_(keys)
        case "like":
            return _like_key(prefix + STRING, slot, parameters)
        case "ilike":
            return _ilike_key(prefix + STRING, slot, parameters)
        case _ if test.kind == NULL:
            return lambda _: false()
        case relation:
            return _ordered_key(relation, prefix + test.kind, prefix, slot, parameters)


def on_column(test: Test, parameters: Parameters) -> Condition:
    """What the column of the property has to be."""
    if test.subject.path == REVISION:
        return _on_revision(test, parameters)
    column, slot = TEXT_COLUMNS[test.subject.path], test.slot
    if test.relation == "in":
        return column == any_(parameters.bind(_TEXTS, lambda given: list(map(string_text, _texts(_all(given, slot))))))
    if test.kind != STRING:
        return false()
    match test.relation:
        case "like":
            return _like_column(column, slot, parameters)
        case "ilike":
            return column.bool_op("~")(parameters.bind(Text, _ignoring_case(slot)))
        case _:
            text = parameters.bind(Text, lambda given: string_text(str(_one(given, slot))))
            return _related(column, test.relation, text)


def within_bounds(tests: Sequence[Test], parameters: Parameters) -> KeyTest:
    """Several bounds on one property (not on that of some feature): a value lies within all of them.

    Where the thing has several values there, each bound is looked for by itself. One range says more than two, which
    each hold for a large part of the fleet, so it has to be what an index is asked for.
    """
    prefix = path_key(tests[0].subject.path) + VALUE

    def low(given: Given) -> str:
        return max(_range(test, prefix, given)[0] for test in tests)

    def high(given: Given) -> str:
        return min(_range(test, prefix, given)[1] for test in tests)

    least, most = parameters.bind(Text, low), parameters.bind(Text, high)
    each = [on_key(test, parameters) for test in tests]

    def test(found: FromClause) -> Condition:
        span = and_(found.c.key >= least, found.c.key <= most, *(bound(found) for bound in each))
        return or_(span, and_(found.c.key == prefix + MANY, *(_another(found, bound) for bound in each)))

    return test


def _another(found: FromClause, test: KeyTest) -> Condition:
    other = keys.alias()
    return exists().where(other.c.thing_id == found.c.thing_id, test(other))


def _range(test: Test, prefix: str, given: Given) -> tuple[str, str]:
    """The least and the greatest key that can fulfil the relation, both of the value's class."""
    kind, middle = prefix + test.kind, prefix + scalar_key(_one(given, test.slot))
    return (middle, _next_class(kind)) if test.relation in {"gt", "ge"} else (kind, middle)


def _ordered_key(relation: str, kind: str, prefix: str, slot: int, parameters: Parameters) -> KeyTest:
    middle = parameters.bind(Text, lambda given: prefix + scalar_key(_one(given, slot)))
    if relation in {"gt", "ge"}:
        return lambda found: and_(_related(found.c.key, relation, middle), found.c.key < _next_class(kind))
    return lambda found: and_(found.c.key >= kind, _related(found.c.key, relation, middle))


def _like_key(before: str, slot: int, parameters: Parameters) -> KeyTest:
    """The range of the pattern's beginning is spelled out for the index."""
    begin = parameters.bind(Text, lambda given: before + _beginning(given, slot))
    end = parameters.bind(Text, lambda given: patterns.successor(before + _beginning(given, slot)))
    pattern = parameters.bind(Text, lambda given: patterns.literal(before) + _pattern(given, slot))
    return lambda found: and_(found.c.key >= begin, found.c.key < end, _like(found.c.key, pattern))


def _like_column(column: ColumnElement[str], slot: int, parameters: Parameters) -> Condition:
    begin = parameters.bind(Text, lambda given: _beginning(given, slot))
    end = parameters.bind(Text, lambda given: patterns.successor(_beginning(given, slot)) or _LAST)
    pattern = parameters.bind(Text, lambda given: _pattern(given, slot))
    return and_(column >= begin, column < end, _like(column, pattern))


def _like(column: ColumnElement[str], pattern: ColumnElement[str]) -> Condition:
    return column.like(pattern, escape=patterns.ESCAPE)


def _ilike_key(strings: str, slot: int, parameters: Parameters) -> KeyTest:
    pattern = parameters.bind(Text, _ignoring_case(slot))
    return lambda found: and_(
        found.c.key >= strings,
        found.c.key < _next_class(strings),
        func.substr(found.c.key, len(strings) + 1).bool_op("~")(pattern),
    )


def _on_revision(test: Test, parameters: Parameters) -> Condition:
    """Revisions are whole numbers of 64 bits; the values may be any numbers."""
    column, slot = things.c.revision, test.slot
    if test.relation in {"eq", "ne", "in"}:
        return column == any_(parameters.bind(ARRAY(BigInteger), lambda given: _longs(_all(given, slot))))
    if test.kind != NUMBER or test.relation not in ORDERED:
        return false()
    # The whole number from which on, or up to which, the relation can hold.
    rounded = math.floor if test.relation in {"gt", "le"} else math.ceil
    bound = parameters.bind(BigInteger, lambda given: _long(rounded(_number(_one(given, slot)))))
    return _related(column, test.relation, bound)


def _related(column: ColumnElement[Any], relation: str, value: ColumnElement[Any]) -> Condition:
    match relation:
        case "gt":
            return column > value
        case "ge":
            return column >= value
        case "lt":
            return column < value
        case "le":
            return column <= value
        case _:
            return column == value


def among(column: ColumnElement[str], values: Sequence[str]) -> Condition:
    """Whether the column has one of some values that are the same each time."""
    if not values:
        return false()
    return column == values[0] if len(values) == 1 else column == any_(literal(list(values), _TEXTS))


def between(column: ColumnElement[str], low: str, high: str) -> Condition:
    """From ``low`` up to, not including, ``high``; an empty ``low`` is below everything."""
    return column < high if not low else and_(column >= low, column < high)


def _one(given: Given, slot: int) -> Scalar:
    value = given.slots[slot]
    if isinstance(value, tuple):
        raise TypeError(f"slot {slot} holds several values")
    return value


def _all(given: Given, slot: int) -> tuple[Scalar, ...]:
    value: Slot = given.slots[slot]
    return value if isinstance(value, tuple) else (value,)


def _texts(values: Sequence[Scalar]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _number(value: Scalar) -> float:
    return value if isinstance(value, int | float) else math.nan


def _longs(values: Sequence[Scalar]) -> list[int]:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return [_long(int(value)) for value in numbers if value == int(value) and -_LONG <= value < _LONG]


def _long(value: int) -> int:
    return min(max(value, -_LONG), _LONG - 1)


def _beginning(given: Given, slot: int) -> str:
    return string_text(patterns.prefix(str(_one(given, slot))))


def _pattern(given: Given, slot: int) -> str:
    return patterns.like(string_text(str(_one(given, slot))))


def _ignoring_case(slot: int) -> Callable[[Given], str]:
    return lambda given: patterns.ignoring_case(str(_one(given, slot)))


def _next_class(prefix: str) -> str:
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
