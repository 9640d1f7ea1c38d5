"""Numbers over the hits of a search: how many there are, and sums and extremes of what they have, group by group.

What counts is what a filter could ask about: the values of a property that the caller may read, arrays element by
element (equal elements of one array once), ``features/*`` feature by feature. A thing with several values to group by
is in the group of each; a thing without a number, string or boolean there is in the group of ``null``. Sums are decimal
and exact: every number counts as it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.types import BigInteger, Numeric, Text

from projections.search.binding import Rows
from projections.search.comparing import COLUMNS, REVISION, Condition
from projections.search.keys import BOOLEAN, LAST_CLASS, NUMBER, STRING, VALUE, path_key, scalar_value
from projections.search.sql import OPEN_TO_ALL, Compiler
from projections.search.tables import keys, things
from protocol.rql.tree import Property

Scalar: TypeAlias = str | int | float | bool | None

_WHOLE: Final = NUMBER + " "
"""Comes before a number in a column; no number of a key begins like that."""
_DIGITS: Final = 19


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of the values of one property in one group. ``total`` and ``count`` are about numbers."""

    count: int
    total: Decimal | None
    least: Scalar
    greatest: Scalar


@dataclass(frozen=True, slots=True)
class Group:
    """The values that its things share, how many they are, and a summary for each property asked for."""

    values: tuple[Scalar, ...]
    things: int
    summaries: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What to group by, and which properties to summarise."""

    groups: tuple[Property, ...]
    fields: tuple[Property, ...]

    @property
    def used(self) -> frozenset[Property]:
        """Every property that is asked for beside the filter's."""
        return frozenset((*self.groups, *self.fields))

    def rows(self, compiler: Compiler, condition: Condition) -> Rows:
        """Group values, number of things, and four columns for each field; groups of most things first."""
        source: FromClause = things
        values: list[ColumnElement[Any]] = []
        for number, subject in enumerate(self.groups):
            if subject.path in COLUMNS:
                values.append(_column(compiler, subject))
            else:
                found = _values(compiler, subject, f"group_{number}")
                source = source.join(found, true(), isouter=True)
                values.append(found.c.value)
        summaries: list[ColumnElement[Any]] = []
        for number, subject in enumerate(self.fields):
            if subject.path in COLUMNS:
                summaries += _of_column(compiler, subject)
            else:
                found = _summary(compiler, subject, f"field_{number}")
                source = source.join(found, true())
                columns = found.c
                summaries += (func.sum(columns.count), func.sum(columns.total), func.min(columns.least))
                summaries.append(_greatest(columns.greatest, columns.greatest < STRING))
        named = [value.label(f"value_{number}") for number, value in enumerate(values)]
        count = func.count()
        return (
            select(*named, count.label("things"), *(found.label(f"s_{n}") for n, found in enumerate(summaries)))
            .select_from(source)
            .where(condition)
            .group_by(*values)
            .order_by(count.desc(), *(value.asc().nulls_first() for value in values))
            .limit(compiler.parameters.bind(BigInteger, lambda given: given.most))
        )

    def read(self, columns: Sequence[Sequence[Any]]) -> list[Group]:
        """The groups that the columns of an answer tell of."""
        return [self._group(row) for row in zip(*columns, strict=True)]

    def nothing(self) -> Group:
        """All of no things."""
        return Group((), 0, tuple(Summary(0, None, None, None) for _ in self.fields))

    def _group(self, row: Sequence[Any]) -> Group:
        size = len(self.groups)
        values, count, rest = row[:size], row[size], row[size + 1 :]
        summaries = [
            Summary(int(rest[at] or 0), rest[at + 1], _scalar(rest[at + 2]), _scalar(rest[at + 3]))
            for at in range(0, len(rest), 4)
        ]
        return Group(tuple(map(_scalar, values)), count, tuple(summaries))


def _values(compiler: Compiler, subject: Property, name: str) -> FromClause:
    """The different values of a thing at the property, class before value."""
    found = keys.alias()
    prefix = path_key(subject.path) + VALUE
    value = func.substr(found.c.key, len(prefix) + 1).label("value")
    values = select(value).where(
        found.c.thing_id == things.c.thing_id,
        found.c.key >= prefix + NUMBER,
        found.c.key < prefix + LAST_CLASS,
        compiler.value_at(subject)(found),
    )
    # Only several features can have one value twice.
    return (values.distinct() if subject.any_feature else values).lateral(name)


def _summary(compiler: Compiler, subject: Property, name: str) -> FromClause:
    """One row for a thing: how many numbers it has at the property, their sum, and the extremes.

    It is made for each hit by itself. Made for the whole fleet at once and joined it takes half the time where all is
    asked for; but callers who see few things of a large fleet would pay for those of all others.
    """
    found = keys.alias()
    prefix = path_key(subject.path) + VALUE
    text = func.substr(found.c.key, len(prefix) + 1, type_=Text)
    is_number = found.c.key < prefix + STRING
    number = func.search_number(func.substr(found.c.key, len(prefix) + len(NUMBER) + 1), type_=Numeric)
    return (
        select(
            func.count().filter(is_number).label("count"),
            func.sum(case((is_number, number))).label("total"),
            func.min(text).label("least"),
            _greatest(text, is_number).label("greatest"),
        )
        .where(
            found.c.thing_id == things.c.thing_id,
            found.c.key >= prefix + NUMBER,
            found.c.key < prefix + BOOLEAN,
            compiler.value_at(subject)(found),
        )
        .lateral(name)
    )


def _greatest(text: ColumnElement[str], is_number: Condition) -> ColumnElement[str]:
    """The greatest number, or where there is none the greatest string; the least is found by the order of classes."""
    return func.coalesce(func.max(text).filter(is_number), func.max(text))


def _of_column(compiler: Compiler, subject: Property) -> tuple[ColumnElement[Any], ...]:
    """The summary of a column; a revision is the only number."""
    value = _column(compiler, subject)
    number = case((value.is_not(None), COLUMNS[subject.path])) if subject.path == REVISION else cast(null(), Numeric)
    return func.count(number), func.sum(cast(number, Numeric)), func.min(value), func.max(value)


def _scalar(written: str | None) -> Scalar:
    if written is None:
        return None
    return int(written[len(_WHOLE) :]) if written.startswith(_WHOLE) else scalar_value(written)


def _column(compiler: Compiler, subject: Property) -> ColumnElement[Any]:
    """A column as class and value, as far as the caller may read it; a revision so that its text sorts."""
    column = COLUMNS[subject.path]
    if subject.path == REVISION:
        value = literal(_WHOLE, Text).concat(func.lpad(cast(column, Text), _DIGITS, "0"))
    else:
        value = literal(STRING, Text).concat(column)
    if subject.path in OPEN_TO_ALL:
        return value
    return case((and_(compiler.readable(subject.path), column.is_not(None)), value))
