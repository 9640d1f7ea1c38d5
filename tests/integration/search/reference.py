"""Orders and aggregates in Python, the slow and obvious way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product
from typing import TypeAlias

from projections.search.aggregates import Group, Scalar, Summary
from protocol.json import JsonObject, JsonValue

Value: TypeAlias = tuple[int, Scalar]
"""A scalar with its class before it: numbers before strings before booleans."""

_NUMBER, _STRING, _BOOLEAN = range(1, 4)
_ABSENT: Value = (0, 0)


def ids(things: Sequence[JsonObject]) -> list[str]:
    return sorted(str(thing["thingId"]) for thing in things)


def in_order(things: Sequence[JsonObject], sort: str) -> list[str]:
    """The ids as the orders want them, which are applied from the last to the first."""
    ordered = ids(things)
    documents = {str(thing["thingId"]): thing for thing in things}
    orders = sort.split(",")
    last = next((at for at, part in enumerate(orders) if part[1:] == "thingId"), len(orders) - 1)
    for order in reversed(orders[: last + 1]):
        down = order[0] == "-"
        ordered.sort(key=lambda thing_id: _rank(documents[thing_id], order[1:], down=down), reverse=down)
    return ordered


def aggregated(things: Sequence[JsonObject], groups: Sequence[str], fields: Sequence[str]) -> list[Group]:
    found: dict[tuple[Value, ...], list[JsonObject]] = {} if groups else {(): []}
    for thing in things:
        for values in product(*(sorted(set(_scalars(thing, name))) or [_ABSENT] for name in groups)):
            found.setdefault(values, []).append(thing)
    return [
        Group(
            tuple(None if value == _ABSENT else value[1] for value in values),
            len(members),
            tuple(_summary(members, name) for name in fields),
        )
        for values, members in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _summary(things: Sequence[JsonObject], name: str) -> Summary:
    values = [value for thing in things for value in _scalars(thing, name)]
    numbers = [value for kind, value in values if kind == _NUMBER]
    compared = [value for value in values if value[0] == (_NUMBER if numbers else _STRING)]
    decimals = [Decimal(number) if isinstance(number, int) else Decimal(repr(number)) for number in numbers]
    return Summary(
        len(numbers),
        sum(decimals) if decimals else None,  # type: ignore[arg-type]  # a sum of some is no literal 0
        min(compared)[1] if compared else None,
        max(compared)[1] if compared else None,
    )


def _rank(thing: JsonObject, name: str, *, down: bool) -> Value:
    values = list(_scalars(thing, name))
    return (max if down else min)(values) if values else _ABSENT


def _scalars(thing: JsonObject, name: str) -> Iterator[Value]:
    """The different values of a thing at the path; of some feature: those of each, one after the other."""
    path = tuple(name.split("/"))
    if path[:2] == ("features", "*"):
        features = thing.get("features")
        for feature in features.values() if isinstance(features, dict) else ():
            yield from set(_walk(feature, path[2:]))
    else:
        yield from set(_walk(thing, path))


def _walk(value: JsonValue, path: tuple[str, ...]) -> Iterator[Value]:
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, path)
    elif isinstance(value, dict):
        if path and path[0] in value:
            yield from _walk(value[path[0]], path[1:])
    elif not path and value is not None:
        yield _kind(value), value


def _kind(value: Scalar) -> int:
    if isinstance(value, str):
        return _STRING
    return _BOOLEAN if isinstance(value, bool) else _NUMBER
