"""What callers may read, remembered between their questions, and how a statement tells that it is no longer so.

A question is one statement: it brings the classes of its caller as they are remembered, and looks up in the same
moment whether there are others by now. Then its answer counts for nothing, and the classes are read anew. Classes that
are gone do no harm, because no policy has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, exists, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Text

from projections.cache import BoundedCache
from projections.search.binding import Parameters
from projections.search.grants import read_class
from projections.search.readers import Readers
from projections.search.tables import grants
from projections.statements import Connection, statement

CALLERS: Final = 10_000
"""Subjects and classes of callers that are remembered."""

_FIRST: Final = ""
_LAST: Final = "~"
"""Around the names of all classes, which are hexadecimal."""


class Standings:
    """The classes of the callers who asked last."""

    def __init__(self) -> None:
        self._of: BoundedCache[Readers] = BoundedCache(CALLERS)
        self._made: BoundedCache[Readers] = BoundedCache(CALLERS)

    def known(self, subjects: tuple[str, ...]) -> Readers | None:
        """What the caller could read when it was looked up last."""
        return self._of.get(subjects)

    async def read(self, connection: Connection, subjects: tuple[str, ...]) -> Readers:
        """What the caller may read now. Callers with the same classes share one object, and so their statements."""
        rows = await connection.fetch(statement("read_search_classes"), list(subjects))
        written = {row["class"]: row["rules"] for row in rows}
        classes = tuple(sorted(written))
        readers = self._made.get(classes)
        if readers is None:
            readers = Readers([read_class(name, rules) for name, rules in written.items()])
            self._made.put(classes, readers, 1 + len(classes))
        self._of.put(subjects, readers, len(subjects))
        return readers


def others(readers: Readers, parameters: Parameters) -> ColumnElement[bool]:
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
