"""Long work that shares the event loop with commands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

TURN_SECONDS: Final = 0.005
"""How long one piece of background work may hold the event loop."""


class Turns:
    """Gives others their turn once this work has held the event loop for ``TURN_SECONDS``.

    Ask after each small piece: most questions cost a look at the clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    async def give(self) -> None:
        """Let others run if it is time."""
        if self._clock() - self._since >= TURN_SECONDS:
            await asyncio.sleep(0)
            self._since = self._clock()
