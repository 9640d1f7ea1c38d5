"""A slow second evaluator that shares nothing with the first: it looks at the rows that an index would have.

A thing becomes rows of path and value, without the positions in arrays. What a query asks about is a set of rows.
"""

from __future__ import annotations

import operator
import re
from typing import NamedTuple

from protocol.json import JsonValue
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query


class Row(NamedTuple):
    path: tuple[str, ...]
    value: JsonValue
    in_array: bool


def holds(query: Query, thing: JsonValue, *, ne_absent: bool) -> bool:
    """Whether the query holds; without placeholders of time."""
    return Witness(exploded(thing, (), in_array=False), ne_absent).answer(query)


class Witness(NamedTuple):
    rows: list[Row]
    ne_absent: bool

    def answer(self, query: Query) -> bool:
        if isinstance(query, And | Or | Not):
            answers = [self.answer(each) for each in query.queries]
            return {And: False not in answers, Or: True in answers, Not: True not in answers}[type(query)]
        rows = at(self.rows, query.property)
        match query:
            case Exists():
                return len(rows) > 0
            case Empty():
                values = [row.value for row in rows if not row.in_array]
                return not values or any(value is None or value in ([], {}, "") for value in values)
            case In(values=wanted):
                return any(fulfils(row.value, "eq", value) for row in rows for value in wanted)
            case Comparison(relation="ne", value=value):
                return not any(fulfils(row.value, "eq", value) for row in rows) if rows else self.ne_absent
            case Comparison(relation=relation, value=value):
                return any(fulfils(row.value, relation, value) for row in rows)


def exploded(value: JsonValue, path: tuple[str, ...], *, in_array: bool) -> list[Row]:
    rows = [Row(path, value, in_array)]
    if isinstance(value, dict):
        for key, member in value.items():
            rows += exploded(member, (*path, key), in_array=False)
    if isinstance(value, list):
        for item in value:
            rows += exploded(item, path, in_array=True)
    return rows


def at(rows: list[Row], subject: Property) -> list[Row]:
    def is_it(path: tuple[str, ...]) -> bool:
        if subject.path[0] == "features" and len(path) > 1:
            path = (path[0], "*" if subject.path[1] == "*" else path[1], *path[2:])
        return path == subject.path

    return [row for row in rows if is_it(row.path)]


def fulfils(value: JsonValue, relation: str, wanted: object) -> bool:
    if relation in {"like", "ilike"}:
        pattern = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in str(wanted))
        flags = re.DOTALL | (re.IGNORECASE if relation == "ilike" else 0)
        return isinstance(value, str) and re.fullmatch(pattern, value, flags) is not None
    if relation == "eq" and wanted is None:
        return value is None
    if isinstance(value, bool) or isinstance(wanted, bool):
        return isinstance(value, bool) and isinstance(wanted, bool) and compares(int(value), relation, int(wanted))
    if isinstance(value, str) and isinstance(wanted, str):
        return compares([ord(each) for each in value], relation, [ord(each) for each in wanted])
    numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
    return numbers and compares(value, relation, wanted)


def compares(one: object, relation: str, other: object) -> bool:
    return bool(getattr(operator, relation)(one, other))
