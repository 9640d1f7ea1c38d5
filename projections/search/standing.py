"""What callers may read, remembered between their questions, and how a statement tells that it is no longer so.

A question is one statement: it brings the classes of its caller as they are remembered, and looks up in the same
moment whether there are others by now. Then its answer counts for nothing, and the classes are read anew. Classes that
are gone do no harm, because no policy has them. The same goes for what the SearchIndexes of namespaces leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, cast, exists, func, literal, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.types import Text

from projections.cache import BoundedCache
from projections.search.binding import Parameters
from projections.search.grants import read_class
from projections.search.readers import Readers
from projections.search.restrictions import UNRESTRICTED, Restrictions, read_restrictions
from projections.search.tables import grants, indexes
from projections.statements import Connection, statement

CALLERS: Final = 10_000
"""Subjects and classes of callers that are remembered."""

_FIRST: Final = ""
_LAST: Final = "~"
"""Around the names of all classes, which are hexadecimal."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one caller may read, and what nobody can ask for."""

    readers: Readers
    restrictions: Restrictions


class Standings:
    """The standings of the callers who asked last."""

    def __init__(self) -> None:
        self._restrictions = UNRESTRICTED
        self._of: BoundedCache[Readers] = BoundedCache(CALLERS)
        self._made: BoundedCache[Readers] = BoundedCache(CALLERS)

    def known(self, subjects: tuple[str, ...]) -> Standing | None:
        """The caller's standing when it was looked up last, if it could read anything."""
        readers = self._of.get(subjects)
        return None if readers is None or not readers.classes else Standing(readers, self._restrictions)

    async def read(self, connection: Connection, subjects: tuple[str, ...]) -> Standing:
        """The caller's standing now. Callers with the same classes share their ``readers``, and so their statements."""
        rows = await connection.fetch(statement("read_search_classes"), list(subjects))
        written = {name: rules for subject, name, rules in rows if subject is not None}
        self._restrictions = read_restrictions({name: usable for subject, name, usable in rows if subject is None})
        classes = tuple(sorted(written))
        readers = self._made.get(classes)
        if readers is None:
            readers = Readers([read_class(name, rules) for name, rules in written.items()])
            self._made.put(classes, readers, 1 + len(classes))
        self._of.put(subjects, readers, len(subjects))
        return Standing(readers, self._restrictions)


def stale(readers: Readers, parameters: Parameters) -> ColumnElement[bool]:
    """Whether the caller has other classes by now, or the SearchIndexes of namespaces are others."""
    said = func.string_agg(
        indexes.c.namespace.concat(cast(indexes.c.usable, Text)), aggregate_order_by(literal(""), indexes.c.namespace)
    )
    mark = select(func.md5(func.coalesce(said, ""))).scalar_subquery()
    return or_(_others(readers, parameters), mark != parameters.bind(Text, lambda given: given.mark))


def _others(readers: Readers, parameters: Parameters) -> ColumnElement[bool]:
    """Whether the caller has a class that is not among these: a look between any two of them."""
    subject = (
        func.unnest(parameters.bind(ARRAY(Text), lambda given: list(given.subjects)))
        .table_valued("subject", name="caller")
        .render_derived()
    )
    gap = (
        func.unnest(_texts([_FIRST, *readers.classes]), _texts([*readers.classes, _LAST]))
        .table_valued("low", "high", name="gap")
        .render_derived()
    )
    other = grants.alias()
    found = (
        select(literal(1).label("one"))
        .where(
            other.c.subject == subject.c.subject.collate("C"),
            other.c["class"] > gap.c.low.collate("C"),
            other.c["class"] < gap.c.high.collate("C"),
        )
        .limit(1)
        .lateral()
    )
    return exists(select(literal(1)).select_from(subject).join(gap, true()).join(found, true()))


def _texts(values: Sequence[str]) -> ColumnElement[list[str]]:
    return literal(list(values), ARRAY(Text))
