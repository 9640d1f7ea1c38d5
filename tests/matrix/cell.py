"""A cell of the matrix over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from protocol.identifiers import EntityId
from tests.matrix.model import NOTHING, Expected


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A request, the row and method of the table that it is for, and what has to come of it.

    ``touched`` is the entity that it would change, ``form`` a body of another kind than JSON.
    """

    route: str
    method: str
    url: str
    expected: Expected
    body: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    form: str | None = None
    operator: bool = False
    touched: EntityId | None = None

    @override
    def __str__(self) -> str:
        return f"{self.method} {self.url}"
