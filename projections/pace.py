"""A bound on events per second."""

from __future__ import annotations

import asyncio
import math
import time


class Throttle:
    """Spaces work: no more than ``per_second`` pieces are begun per second in the long run; infinite: no bound."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    @property
    def unbounded(self) -> bool:
        """Whether nobody ever has to wait."""
        return math.isinf(self._per_second)

    async def take(self, pieces: int) -> None:
        """Wait for room for so many pieces."""
        now = time.monotonic()
        if self._free_at > now:
            await asyncio.sleep(self._free_at - now)
        self._free_at = max(self._free_at, now) + pieces / self._per_second
