"""The shape of a query: what it asks, without the values, which may be nobody's business but the client's."""

from __future__ import annotations

from typing import assert_never

from protocol.pointers import escape
from protocol.rql.tree import And, Comparison, Empty, Exists, In, Not, Or, Property, Query


def shape(query: Query) -> str:
    """The query as RQL with ``?`` for every value; of no use but to be read."""
    match query:
        case And(queries):
            return f"and({','.join(map(shape, queries))})"
        case Or(queries):
            return f"or({','.join(map(shape, queries))})"
        case Not(queries):
            return f"not({','.join(map(shape, queries))})"
        case Exists(subject):
            return f"exists({_name(subject)})"
        case Empty(subject):
            return f"empty({_name(subject)})"
        case In(subject, values):
            return f"in({_name(subject)},{','.join('?' * len(values))})"
        case Comparison(relation, subject, _):
            return f"{relation}({_name(subject)},?)"
        case _:
            assert_never(query)


def _name(subject: Property) -> str:
    return "/".join(map(escape, subject.path))
