"""``group`` and ``select`` of an aggregate as clients write them, and its answer.

    select = item { "," item }
    item   = "count" | ("sum" | "avg" | "min" | "max") "(" property ")"
    group  = property { "," property }

Properties are those of RQL with their escapes. Beyond Ditto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

import orjson

from projections.search.aggregates import Aggregates, Group, Summary
from protocol.errors import DittoError, SearchAggregateInvalid, SearchOptionInvalid
from protocol.json import JsonObject, JsonValue
from protocol.rql.names import check_has_values, read_property
from protocol.rql.tree import Property
from services.searching.options import read_options

GROUPS: Final = 3
ITEMS: Final = 10
SIZE_DEFAULT: Final = 100

_COUNT: Final = "count"
_FUNCTIONS: Final = ("sum", "avg", "min", "max")
_LONGS: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to compute, and the name that it has in the answer; ``of`` counts the fields, and is none for all."""

    name: str
    function: str
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to ask for, and how to tell the answer."""

    asked: Aggregates
    names: tuple[str, ...]
    items: tuple[Item, ...]
    size: int

    def answer(self, groups: Sequence[Group], *, complete: bool) -> JsonObject:
        """The body of the answer; ``complete`` is false where there are more groups than were asked for."""
        return {"items": [self._item(group) for group in groups], "complete": complete}

    def _item(self, group: Group) -> JsonValue:
        values: JsonObject = {
            item.name: group.things if item.of is None else _computed(item.function, group.summaries[item.of])
            for item in self.items
        }
        return {"group": dict(zip(self.names, group.values, strict=True)), "values": values}


def read_plan(*, group: str, select: str, option: str) -> Plan:
    """What the parameters ask for; ``select`` is ``count`` unless something is said.

    Raises ``SearchAggregateInvalid`` with the place of the error, and ``SearchOptionInvalid`` for options other than
    ``size``.
    """
    names, groups = _read_groups(group)
    items, fields = _read_items(select or _COUNT)
    options = read_options(option)
    for name, given in (("sort", options.sort), ("cursor", options.cursor), ("limit", options.offset)):
        if given is not None:
            raise SearchOptionInvalid(name, "an aggregate has only size")
    return Plan(
        asked=Aggregates(groups, fields),
        names=names,
        items=items,
        size=SIZE_DEFAULT if options.size is None else options.size,
    )


def _read_groups(text: str) -> tuple[tuple[str, ...], tuple[Property, ...]]:
    names: list[str] = []
    groups: list[Property] = []
    at = 0
    while at < len(text) or (at and text[at - 1] == ","):
        if len(groups) == GROUPS:
            raise SearchAggregateInvalid("group", text, at, f"at most {GROUPS} properties")
        found, end = _property("group", text, at)
        names.append(text[at:end])
        groups.append(found)
        at = _behind_comma("group", text, end)
    return tuple(names), tuple(groups)


def _read_items(text: str) -> tuple[tuple[Item, ...], tuple[Property, ...]]:
    items: list[Item] = []
    fields: dict[Property, int] = {}
    at = 0
    while at < len(text) or text[at - 1] == ",":
        if len(items) == ITEMS:
            raise SearchAggregateInvalid("select", text, at, f"at most {ITEMS} items")
        item, end = _read_item(text, at, fields)
        items.append(item)
        at = _behind_comma("select", text, end)
    return tuple(items), tuple(fields)


def _read_item(text: str, at: int, fields: dict[Property, int]) -> tuple[Item, int]:
    for function in _FUNCTIONS:
        if text.startswith(function + "(", at):
            found, end = _property("select", text, at + len(function) + 1)
            if text[end : end + 1] != ")":
                raise SearchAggregateInvalid("select", text, end, "')'")
            of = fields.setdefault(found, len(fields))
            return Item(text[at : end + 1], function, of), end + 1
    end = at + len(_COUNT)
    if text[at:end] == _COUNT and text[end : end + 1] in {"", ","}:
        return Item(_COUNT, _COUNT), end
    wanted = ", ".join(f"{function}(...)" for function in _FUNCTIONS)
    raise SearchAggregateInvalid("select", text, at, f"one of {_COUNT}, {wanted}")


def _property(parameter: str, text: str, at: int) -> tuple[Property, int]:
    def fault(expected: str, place: int | None) -> DittoError:
        return SearchAggregateInvalid(parameter, text, at if place is None else place, expected)

    found, end = read_property(text, at, fault)
    check_has_values(found, at, fault)
    return found, end


def _behind_comma(parameter: str, text: str, at: int) -> int:
    if at < len(text) and text[at] != ",":
        raise SearchAggregateInvalid(parameter, text, at, "','")
    return at + 1 if at < len(text) else at


def _computed(function: str, summary: Summary) -> JsonValue:
    match function:
        case "min":
            return summary.least
        case "max":
            return summary.greatest
        case _ if summary.total is None:
            return None
        case "sum":
            return _exact(summary.total)
        case _:
            return float(summary.total / summary.count)


def _exact(number: Decimal) -> JsonValue:
    """The number to its last digit: JSON has room for it, where a double or 64 bits have not."""
    if number == (whole := int(number)) and whole in _LONGS:
        return whole
    if Decimal(repr(near := float(number))) == number:
        return near
    return cast("JsonValue", orjson.Fragment(format(number, "f")))  # printed as it is
