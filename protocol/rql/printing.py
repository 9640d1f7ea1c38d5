"""Printing RQL: the inverse of ``protocol.rql.parsing``, and the shape of a query, which gives no value away."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from protocol.pointers import escape
from protocol.rql.literals import print_value
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query, Value

# Comma and parenthesis are spelled by number, which every reader of RQL knows; not all know a backslash before them.
_ESCAPED = str.maketrans({'"': '\\"', "\\": "\\\\", ",": "\\u002c", ")": "\\u0029"})


def print_query(query: Query) -> str:
    """The text of the query; ``parse_query`` reads it back as the same tree."""
    return _printed(query, print_value)


def print_shape(query: Query) -> str:
    """The query with ``?`` for every value, which may be the client's business alone; of no use but to be read."""
    return _printed(query, lambda _: "?")


def _printed(query: Query, spell: Callable[[Value], str]) -> str:
    match query:
        case And(queries):
            return _logic("and", queries, spell)
        case Or(queries):
            return _logic("or", queries, spell)
        case Not(queries):
            return _logic("not", queries, spell)
        case Exists(subject):
            return f"exists({_property(subject)})"
        case Empty(subject):
            return f"empty({_property(subject)})"
        case In(subject, values):
            return f"in({_property(subject)},{','.join(map(spell, values))})"
        case Comparison(relation, subject, value):
            return f"{relation}({_property(subject)},{spell(value)})"
        case _:
            assert_never(query)


def _logic(name: str, queries: tuple[Query, ...], spell: Callable[[Value], str]) -> str:
    return f"{name}({','.join(_printed(query, spell) for query in queries)})"


def _property(subject: Property) -> str:
    return "/".join(escape(key) for key in subject.path).translate(_ESCAPED)
