"""An RQL expression as a tree of values; ``protocol.rql.parsing`` makes it, ``printing`` and ``matching`` walk it.

Source: Ditto documentation, page *basic-rql*.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from protocol.pointers import Pointer

TimeName: TypeAlias = Literal["now", "now_epoch_millis", "now_epoch_seconds"]
Relation: TypeAlias = Literal["eq", "ne", "gt", "ge", "lt", "le", "like", "ilike"]

ANY_FEATURE: Final = "*"
"""In the place of a feature id it stands for every feature."""


@dataclass(frozen=True, slots=True)
class Property:
    """What is asked about: a pointer into the thing, where ``("features", "*", ...)`` means some feature.

    A name such as ``thingId`` or ``_revision`` is a pointer of one key, ``namespace`` being read as ``_namespace``, and
    so is a placeholder of a filter, such as ``topic:action``.
    """

    path: Pointer

    @property
    def any_feature(self) -> bool:
        """Whether it speaks of some feature rather than a certain one."""
        return self.path[:2] == ("features", ANY_FEATURE)


@dataclass(frozen=True, slots=True)
class TimePlaceholder:
    """``time:now``, ``time:now_epoch_millis`` or ``time:now_epoch_seconds``, shifted and cut off when evaluated.

    ``offset`` is added; ``truncation`` is a unit (``h``, ``d`` ...) to whose beginning the moment is cut.
    """

    name: TimeName
    offset_text: str = ""
    offset: timedelta = timedelta()
    truncation: str = ""


Value: TypeAlias = str | int | float | bool | TimePlaceholder | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``eq(p,v)`` and its like; ``like`` and ``ilike`` have a pattern, a string, as value."""

    relation: Relation
    property: Property
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """``in(p,v,...)``."""

    property: Property
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """``exists(p)``."""

    property: Property


@dataclass(frozen=True, slots=True)
class Empty:
    """``empty(p)``: absent, null, ``[]``, ``{}`` or ``""``."""

    property: Property


@dataclass(frozen=True, slots=True)
class And:
    """All of one or more."""

    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of one or more."""

    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """None of one or more. Ditto has exactly one; several are read as the product's documentation writes them."""

    queries: tuple[Query, ...]


Query: TypeAlias = And | Or | Not | Comparison | In | Exists | Empty


def properties(query: Query) -> frozenset[Property]:
    """Every property that the query uses."""
    match query:
        case And(queries) | Or(queries) | Not(queries):
            return frozenset().union(*map(properties, queries))
        case Comparison(property=used) | In(property=used) | Exists(property=used) | Empty(property=used):
            return frozenset((used,))
