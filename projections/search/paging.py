"""Pages of hits in order, from one place to the next: keyset paging over any sort.

A place is the sort values of a hit and its thing id, so things that come and go before it do not move the page. A thing
without a value (or with one that the caller may not read) sorts below all others. Where values of different classes
meet, numbers come before strings before booleans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.sql.elements import Null
from sqlalchemy.types import BigInteger, Text
from typing_extensions import override

from projections.search.binding import Rows
from projections.search.comparing import COLUMNS, REVISION, Condition, is_true, some
from projections.search.keys import LAST_CLASS, NUMBER, VALUE, path_key
from projections.search.sql import OPEN_TO_ALL, Compiler
from projections.search.tables import keys, paths, things
from protocol.pointers import Pointer
from protocol.rql.tree import Property

SortValue: TypeAlias = str | int | None
THING_ID: Final = Property(("thingId",))
_NEVER_ABSENT: Final = OPEN_TO_ALL | {("_revision",), ("_created",), ("_modified",)}


@dataclass(frozen=True, slots=True)
class Order:
    """One property to sort by."""

    property: Property
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A hit's place in an order: its sort values, those of the thing id left out, and the id."""

    values: tuple[SortValue, ...]
    thing_id: str


def complete(orders: Sequence[Order]) -> tuple[Order, ...]:
    """The order with its tie break: the thing id, and nothing after it."""
    kept: list[Order] = []
    for order in orders:
        kept.append(order)
        if order.property == THING_ID:
            return tuple(kept)
    return (*kept, Order(THING_ID))


@dataclass(frozen=True, slots=True)
class Pages:
    """What is asked for one page; the statement depends on nothing else.

    ``orders`` is complete. ``behind`` has, for a page that begins behind a place, whether its sort values are absent.
    """

    orders: tuple[Order, ...]
    behind: tuple[bool, ...] | None = None
    skipping: bool = False

    @override
    def __str__(self) -> str:
        return ",".join(f"{'-' if each.descending else '+'}{'/'.join(each.property.path)}" for each in self.orders)

    @property
    def used(self) -> frozenset[Property]:
        """What is sorted by."""
        return frozenset(order.property for order in self.orders)

    def rows(self, compiler: Compiler, condition: Condition) -> Rows:
        """The rows of the page in order: thing id and sort values."""
        if not self.skipping and (path := self._sorted_path()) is not None:
            return self._by_value(compiler, condition, path)
        place = _place(compiler, self.orders, self.behind)
        sorted_by = [_value(compiler, order) for order in self.orders[:-1]]
        statement = select(things.c.thing_id, *sorted_by).where(condition)
        ordered = [_directed(value, order) for value, order in zip(sorted_by, self.orders, strict=False)]
        statement = statement.order_by(*ordered, _directed(things.c.thing_id, self.orders[-1]))
        if place is not None:
            statement = statement.where(_behind(self.orders, [*sorted_by, things.c.thing_id], place))
        statement = statement.limit(_most(compiler))
        offset = compiler.parameters.bind(BigInteger, lambda given: given.offset) if self.skipping else None
        return statement if offset is None else statement.offset(offset)

    def _sorted_path(self) -> Pointer | None:
        """The path in the documents that alone decides over the order, the tie break left out; none if it is not so."""
        first = self.orders[0]
        alone = len(self.orders) == 2 and first.property.path not in COLUMNS and not self.orders[1].descending
        return first.property.path if alone else None

    def _by_value(self, compiler: Compiler, condition: Condition, path: Pointer) -> Rows:
        """Things with a value and those without one after the other, so that each can follow an index.

        The second is not begun when the first fills the page.
        """
        order = self.orders[0]
        readable = compiler.readable(path)
        place = _place(compiler, self.orders, self.behind)
        with_value = _with_value(condition, readable, order, place if self.behind == (False, False) else None)
        without = _without_value(condition, readable, order, place if self.behind == (True, False) else None)
        if self.behind == (False, False):
            stages = [with_value, without] if order.descending else [with_value]
        elif self.behind == (True, False):
            stages = [without] if order.descending else [without, with_value]
        else:
            stages = [with_value, without] if order.descending else [without, with_value]
        most = _most(compiler)
        if len(stages) == 1:
            return stages[0].limit(most)
        # Not sorted again: the database appends one to the other, in this order, and stops at the limit.
        both = union_all(*(stage.limit(most) for stage in stages)).subquery("both")
        return select(*both.c).limit(most)


def _with_value(condition: Condition, readable: Condition, order: Order, place: _Place | None) -> Rows:
    low, high = _range(order.property)
    value, other = keys.alias("value"), keys.alias()
    of_thing = and_(other.c.thing_id == things.c.thing_id, other.c.key >= low, other.c.key < high)
    better = other.c.key > value.c.key if order.descending else other.c.key < value.c.key
    first_of_array = not_(exists().where(of_thing, better))
    statement = (
        select(things.c.thing_id, value.c.key)
        .join_from(things, value, value.c.thing_id == things.c.thing_id)
        .where(condition, readable, value.c.key >= low, value.c.key < high, first_of_array)
        .order_by(value.c.key.desc() if order.descending else value.c.key, value.c.thing_id)
    )
    if place is None:
        return statement
    was, thing_id = place
    beyond = value.c.key < was if order.descending else value.c.key > was
    edge = value.c.key <= was if order.descending else value.c.key >= was
    return statement.where(edge, or_(beyond, and_(value.c.key == was, value.c.thing_id > thing_id)))


def _without_value(condition: Condition, readable: Condition, order: Order, place: _Place | None) -> Rows:
    low, high = _range(order.property)
    other = keys.alias()
    has_value = exists().where(other.c.thing_id == things.c.thing_id, other.c.key >= low, other.c.key < high)
    statement = (
        select(things.c.thing_id, literal(None, Text).label("key"))
        .where(condition, some(not_(has_value), not_(readable)))
        .order_by(things.c.thing_id)
    )
    if is_true(readable):
        statement = statement.where(not_(_everywhere(order.property.path)))
    return statement if place is None else statement.where(things.c.thing_id > place[-1])


def _everywhere(path: Pointer) -> Condition:
    """Whether every thing has a value at the path; looked up once, before anything else."""

    def having(name: str) -> ColumnElement[int]:
        counted = paths.alias()
        return select(counted.c.things).where(counted.c.path == name).scalar_subquery()

    return func.coalesce(having(path_key(path)) == having(""), false())


def _range(subject: Property) -> tuple[str, str]:
    prefix = path_key(subject.path) + VALUE
    return prefix + NUMBER, prefix + LAST_CLASS


def _most(compiler: Compiler) -> ColumnElement[int]:
    return compiler.parameters.bind(BigInteger, lambda given: given.most)


_Place: TypeAlias = Sequence[ColumnElement[Any]]


def _place(compiler: Compiler, orders: Sequence[Order], behind: Sequence[bool] | None) -> _Place | None:
    """The parameters that hold the place behind which the page begins; absent values are ``NULL`` by themselves."""
    if behind is None:
        return None
    return [
        null() if absent else _of_place(compiler, number, order)
        for number, (order, absent) in enumerate(zip(orders, behind, strict=True))
    ]


def _of_place(compiler: Compiler, number: int, order: Order) -> ColumnElement[Any]:
    type_ = BigInteger if order.property.path == REVISION else Text
    return compiler.parameters.bind(type_, lambda given: given.place[number])


def _value(compiler: Compiler, order: Order) -> ColumnElement[Any]:
    path = order.property.path
    found: ColumnElement[Any]
    if path in COLUMNS:
        found = COLUMNS[path]
    else:
        low, high = _range(order.property)
        key = keys.alias()
        chosen = func.max(key.c.key) if order.descending else func.min(key.c.key)
        found = (
            select(chosen)
            .where(key.c.thing_id == things.c.thing_id, key.c.key >= low, key.c.key < high)
            .correlate(things)
            .scalar_subquery()
        )
    readable = true() if path in OPEN_TO_ALL else compiler.readable(path)
    return found if is_true(readable) else case((readable, found))


def _directed(value: ColumnElement[Any], order: Order) -> ColumnElement[Any]:
    """Absent is least. Only what can be absent says so, or no index of the others would fit."""
    if order.property.path in _NEVER_ABSENT and isinstance(value, Column):
        return value.desc() if order.descending else value.asc()
    return value.desc().nulls_last() if order.descending else value.asc().nulls_first()


def _behind(orders: Sequence[Order], values: Sequence[ColumnElement[Any]], place: _Place) -> ColumnElement[bool]:
    """Whether a row comes after the place: by its first value, or if that is the same by the next, and so on."""
    condition: ColumnElement[bool] = false()
    for order, value, was in reversed(list(zip(orders, values, place, strict=True))):
        condition = or_(_further(order, value, was), and_(_same(value, was), condition))
    first, was = values[0], place[0]
    if not _is_absent(was) and not (orders[0].descending and len(orders) > 1):
        condition = and_(first <= was if orders[0].descending else first >= was, condition)
    return condition


def _further(order: Order, value: ColumnElement[Any], was: ColumnElement[Any]) -> ColumnElement[bool]:
    if _is_absent(was):
        return false() if order.descending else value.is_not(None)
    return or_(value < was, value.is_(None)) if order.descending else value > was


def _same(value: ColumnElement[Any], was: ColumnElement[Any]) -> ColumnElement[bool]:
    return value.is_(None) if _is_absent(was) else value == was


def _is_absent(was: ColumnElement[Any]) -> bool:
    return isinstance(was, Null)
