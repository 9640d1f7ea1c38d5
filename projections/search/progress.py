"""How far the search model is with the SearchIndexes of namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eventstore.errors import translate_errors
from projections.search.fields import EVERYTHING, Fields, restore_fields
from projections.statements import Pool, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProgress:
    """One namespace: the fields ``usable`` by searches right now, and of how many things the keys are ``done``.

    ``position`` is the place in the log that the search model has come to: what was set later is not begun.
    """

    namespace: str
    position: int
    usable: Fields
    unfinished: bool
    done: int
    total: int


async def index_progress(pool: Pool, namespaces: Sequence[str]) -> list[IndexProgress]:
    """How far each of the namespaces is; raises ``StoreUnavailable``."""
    with translate_errors():
        rows = await pool.fetch(statement("read_search_progress"), list(namespaces))
    return [
        IndexProgress(
            namespace=row["namespace"],
            position=row["position"],
            usable=EVERYTHING if row["usable"] is None else restore_fields(row["usable"]),
            unfinished=row["unfinished"],
            done=row["done"] or 0,
            total=max(row["things"] if row["total"] is None else row["total"], row["done"] or 0),
        )
        for row in rows
    ]
