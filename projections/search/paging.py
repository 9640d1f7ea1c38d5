"""Pages of hits in order, from one place to the next: keyset paging over any sort.

A place is the sort values of a hit and its thing id, so things that come and go before it do not move the page. A thing
without a value (or with one that the caller may not read) sorts below all others. Where values of different classes
meet, numbers come before strings before booleans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, Select, and_, case, exists, false, func, literal, not_, or_, select, true
from sqlalchemy.sql.elements import True_
from sqlalchemy.types import BigInteger, Text

from projections.search.keys import LAST_CLASS, NUMBER, VALUE, path_key
from projections.search.sql import COLUMNS, OPEN_TO_ALL, Compiler, Condition
from projections.search.tables import keys, things
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


def sorted_path(orders: Sequence[Order]) -> Pointer | None:
    """The path in the documents that alone decides over the order, the tie break left out; none if it is not so."""
    first = orders[0]
    alone = len(orders) == 2 and first.property.path not in COLUMNS and not orders[1].descending
    return first.property.path if alone else None


def pages(
    compiler: Compiler,
    condition: Condition,
    orders: Sequence[Order],
    *,
    after: Place | None = None,
    offset: int = 0,
    everywhere: bool = False,
) -> Iterator[Select[tuple[object, ...]]]:
    """The statements whose rows, one after the other, are the hits in order; ``orders`` is complete.

    A row is the thing id and the sort values. Sorting by one value of the documents is two statements, with and without
    a value, so that each can follow an index; where every thing has one (``everywhere``), it is only the first.
    """
    if not offset and (path := sorted_path(orders)) is not None:
        stages, with_value = _by_value(compiler, condition, orders[0], after)
        spared = everywhere and _is_true(compiler.readable(path))
        yield from (stage for stage in stages if stage is with_value or not spared)
        return
    sorted_by = [_value(compiler, order) for order in orders[:-1]]
    statement = select(things.c.thing_id, *sorted_by).where(condition)
    ordered = [_directed(value, order) for value, order in zip(sorted_by, orders, strict=False)]
    statement = statement.order_by(*ordered, _directed(things.c.thing_id, orders[-1]))
    if after is not None:
        statement = statement.where(_behind(orders, [*sorted_by, things.c.thing_id], [*after.values, after.thing_id]))
    yield statement.offset(offset) if offset else statement


def _by_value(
    compiler: Compiler, condition: Condition, order: Order, after: Place | None
) -> tuple[list[Select[tuple[object, ...]]], Select[tuple[object, ...]]]:
    """The statements in their order, and which of them is that of things with a value."""
    low, high = _range(order.property)
    value = keys.alias("value")
    other = keys.alias()
    of_thing = and_(other.c.thing_id == things.c.thing_id, other.c.key >= low, other.c.key < high)
    readable = compiler.readable(order.property.path)
    better = other.c.key > value.c.key if order.descending else other.c.key < value.c.key
    first_of_array = not_(exists().where(of_thing, better))
    with_value = (
        select(things.c.thing_id, value.c.key)
        .join_from(things, value, value.c.thing_id == things.c.thing_id)
        .where(condition, readable, value.c.key >= low, value.c.key < high, first_of_array)
        .order_by(value.c.key.desc() if order.descending else value.c.key, value.c.thing_id)
    )
    # A look per thing rather than a join: few hits cost few looks, and the walk ends with the page.
    lowest = select(func.min(other.c.key)).where(of_thing).correlate(things).scalar_subquery()
    without = (
        select(things.c.thing_id, literal(None, Text))
        .where(condition, or_(lowest.is_(None), not_(readable)))
        .order_by(things.c.thing_id)
    )
    stages = [with_value, without] if order.descending else [without, with_value]
    if after is not None:
        (was,) = after.values
        if was is None:
            without = without.where(things.c.thing_id > after.thing_id)
            stages = [without] if order.descending else [without, with_value]
        else:
            beyond = value.c.key < was if order.descending else value.c.key > was
            edge = value.c.key <= was if order.descending else value.c.key >= was
            behind = or_(beyond, and_(value.c.key == was, value.c.thing_id > after.thing_id))
            with_value = with_value.where(edge, behind)
            stages = [with_value, without] if order.descending else [with_value]
    return stages, with_value


def _range(subject: Property) -> tuple[str, str]:
    prefix = path_key(subject.path) + VALUE
    return prefix + NUMBER, prefix + LAST_CLASS


def _value(compiler: Compiler, order: Order) -> ColumnElement[object]:
    path = order.property.path
    found: ColumnElement[object]
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
    return found if _is_true(readable) else case((readable, found))


def _is_true(condition: Condition) -> bool:
    return isinstance(condition, True_)


def _directed(value: ColumnElement[object], order: Order) -> ColumnElement[object]:
    """Absent is least. Only what can be absent says so, or no index of the others would fit."""
    if order.property.path in _NEVER_ABSENT:
        return value.desc() if order.descending else value.asc()
    return value.desc().nulls_last() if order.descending else value.asc().nulls_first()


def _behind(
    orders: Sequence[Order], values: Sequence[ColumnElement[object]], place: Sequence[SortValue]
) -> ColumnElement[bool]:
    """Whether a row comes after the place: by its first value, or if that is the same by the next, and so on."""
    condition: ColumnElement[bool] = false()
    for order, value, was in reversed(list(zip(orders, values, place, strict=True))):
        condition = or_(_further(order, value, was), and_(_same(value, was), condition))
    first, was = values[0], place[0]
    if was is not None and not (orders[0].descending and len(orders) > 1):
        bound = _literal(was)
        condition = and_(first <= bound if orders[0].descending else first >= bound, condition)
    return condition


def _further(order: Order, value: ColumnElement[object], was: SortValue) -> ColumnElement[bool]:
    if was is None:
        return false() if order.descending else value.is_not(None)
    return or_(value < _literal(was), value.is_(None)) if order.descending else value > _literal(was)


def _same(value: ColumnElement[object], was: SortValue) -> ColumnElement[bool]:
    return value.is_(None) if was is None else value == _literal(was)


def _literal(was: SortValue) -> ColumnElement[object]:
    return literal(was, BigInteger) if isinstance(was, int) else literal(was, Text)
