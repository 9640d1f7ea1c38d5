"""Printing RQL: the inverse of ``protocol.rql.parsing``."""

from __future__ import annotations

from typing import assert_never

from protocol.pointers import escape
from protocol.rql.literals import printed
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query

# Comma and parenthesis are spelled by number, which every reader of RQL knows; not all know a backslash before them.
_ESCAPED = str.maketrans({'"': '\\"', "\\": "\\\\", ",": "\\u002c", ")": "\\u0029"})


def print_query(query: Query) -> str:
    """The text of the query; ``parse_query`` reads it back as the same tree."""
    match query:
        case And(queries):
            return _logic("and", queries)
        case Or(queries):
            return _logic("or", queries)
        case Not(queries):
            return _logic("not", queries)
        case Exists(subject):
            return f"exists({_property(subject)})"
        case Empty(subject):
            return f"empty({_property(subject)})"
        case In(subject, values):
            return f"in({_property(subject)},{','.join(map(printed, values))})"
        case Comparison(relation, subject, value):
            return f"{relation}({_property(subject)},{printed(value)})"
        case _:
            assert_never(query)


def _logic(name: str, queries: tuple[Query, ...]) -> str:
    return f"{name}({','.join(map(print_query, queries))})"


def _property(subject: Property) -> str:
    return "/".join(escape(key) for key in subject.path).translate(_ESCAPED)
