"""Where every consumer of the log stands."""

from __future__ import annotations

from dataclasses import dataclass

from eventstore.errors import translate_errors
from projections.statements import Pool, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A consumer's checkpoint and lag; ``owner`` is ``None`` while nobody holds the lease.

    ``behind_seconds`` is the age of the oldest event that it has not taken, 0 when it has taken all.
    """

    name: str
    version: int
    position: int
    owner: str | None
    behind_events: int
    behind_seconds: float


async def standings(pool: Pool) -> list[Standing]:
    """All consumers by name, running here or elsewhere; raises ``StoreUnavailable``."""
    with translate_errors():
        rows = await pool.fetch(statement("read_consumers"))
    return [Standing(**row) for row in rows]
