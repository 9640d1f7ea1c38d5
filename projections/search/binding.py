"""Statements that are written once and asked often: which of their parameters is given how.

Composing a statement and writing its text takes many times as long as asking an index, so a statement is kept under
what its text depends on. The text stays the same, too, and so the driver finds it prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import BindParameter, Select, bindparam
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.types import TypeEngine

from projections.search.shapes import Slot

_DIALECT: Final = dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a statement is asked with."""

    subjects: Sequence[str]
    slots: Sequence[Slot] = ()
    namespaces: Sequence[str] = ()
    place: Sequence[str | int | None] = ()
    """Sort values and thing id of the hit behind which the page begins."""
    offset: int = 0
    most: int = 0
    """Rows at most."""
    partly: Sequence[str] = ()
    """Searched namespaces of which not everything is indexed."""
    mark: str = ""
    """The ``Restrictions.mark`` that the statement counts on."""


Rows: TypeAlias = Select[*tuple[Any, ...]]  # Any: SQL has the types
# Any: what a parameter is given depends on its type in SQL.
Maker: TypeAlias = Callable[[Given], Any]


@dataclass(slots=True)
class Parameters:
    """The parameters of one statement that differ from one time to the next."""

    makers: dict[str, Maker] = field(default_factory=dict)

    def bind(self, type_: TypeEngine[Any] | type[TypeEngine[Any]], make: Maker) -> BindParameter[Any]:
        """A parameter that is given what ``make`` finds."""
        name = f"given_{len(self.makers)}"
        self.makers[name] = make
        return bindparam(name, None, type_)


@dataclass(frozen=True, slots=True)
class Statement:
    """The text, its arguments as far as they never change, and where which others go."""

    text: str
    constant: tuple[Any, ...]
    makers: tuple[tuple[int, Maker], ...]

    @property
    def size(self) -> int:
        """About how many bytes it takes to keep: names of classes can be more than the text."""
        return len(self.text) + sum(64 * len(found) for found in self.constant if isinstance(found, list))

    def arguments(self, given: Given) -> list[Any]:
        """The arguments for one time."""
        arguments = list(self.constant)
        for place, make in self.makers:
            arguments[place] = make(given)
        return arguments


def written(asked: Rows, parameters: Parameters) -> Statement:
    """The statement as the driver takes it."""
    compiled = asked.compile(dialect=_DIALECT)
    values = compiled.construct_params()
    names = compiled.positiontup or []
    return Statement(
        str(compiled),
        tuple(values[name] for name in names),
        tuple((place, parameters.makers[name]) for place, name in enumerate(names) if name in parameters.makers),
    )
