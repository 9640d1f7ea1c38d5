"""One deadline for the whole shutdown, however many parts have something to finish."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

WORK: Final = 0.6
PARTING: Final = 0.15


class Farewell:
    """How ``seconds`` are spent: six tenths on what is in flight, the rest on closing what may not answer any more.

    The parts stop one after the other. Were each given all the time, a database that stands still would make the whole
    last as often as there are parts; so each gets what the others have left. ``begin`` starts the clock.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.work = seconds * WORK
        """Seconds for what is in flight, in all."""
        self.parting = seconds * PARTING
        """Seconds for the background tasks to give back what they hold."""
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """The service was told to stop."""
        self._until = self._clock() + self.work

    def left(self) -> float:
        """Seconds that are left for what is in flight; never negative."""
        return self.work if self._until is None else max(self._until - self._clock(), 0.0)
