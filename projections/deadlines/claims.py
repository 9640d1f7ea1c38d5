"""Claims on policies for which something is due, so that any process may do it and no two do it at once.

A claim only spares the work of being overtaken. What makes repeats impossible is the log: whoever records something
expects a revision of the policy and of its announcements, and is refused if either has moved on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from eventstore.errors import translate_errors
from eventstore.events import StreamName
from projections.statements import Pool, statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How a claim is given back: claimable once the read model is at ``position`` and ``rest`` seconds have passed."""

    position: int = 0
    rest: float = 0.0


class Claims:
    """The claims of one owner; each lasts ``seconds`` by the database's clock. Raises ``StoreUnavailable``."""

    def __init__(self, pool: Pool, owner: str, *, seconds: float = 30.0) -> None:
        self._pool = pool
        self._owner = owner
        self.seconds = seconds

    async def take(self, now: datetime, most: int) -> list[StreamName]:
        """Policies for which something is due at ``now``, the longest overdue first."""
        with translate_errors():
            rows = await self._pool.fetch(statement("claim_watched_policies"), now, most, self._owner, self.seconds)
        return [row[0] for row in rows]

    async def release(self, releases: dict[StreamName, Release]) -> None:
        """Give claims back."""
        positions = [each.position for each in releases.values()]
        rests = [each.rest for each in releases.values()]
        with translate_errors():
            await self._pool.execute(
                statement("release_watched_policies"), self._owner, list(releases), positions, rests
            )

    async def sweep(self, seconds: float = 600.0) -> None:
        """Forget claims that are long over, whoever had them."""
        with translate_errors():
            await self._pool.execute(statement("sweep_claims"), seconds)


def rested(streams: Iterable[StreamName], seconds: float) -> dict[StreamName, Release]:
    """The same rest for all."""
    return {stream: Release(rest=seconds) for stream in streams}
