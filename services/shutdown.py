"""One deadline for the whole shutdown, however many parts have something to finish."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

IN_FLIGHT: Final = 0.6
CLOSING: Final = 0.15


class ShutdownBudget:
    """How ``seconds`` are shared out: six tenths for what is in flight, the rest for closing what may not answer.

    The parts stop one after the other. If each had all the time, a database that hangs would multiply it by the number
    of parts; so each gets what the parts before it have left. ``begin`` starts the clock.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.work = seconds * IN_FLIGHT
        """Seconds for what is in flight, in all."""
        self.closing = seconds * CLOSING
        """Seconds for the background tasks to give back what they hold."""
        self._clock = clock
        self._until: float | None = None

    def begin(self) -> None:
        """The service was told to stop."""
        self._until = self._clock() + self.work

    def left(self) -> float:
        """Seconds that are left for what is in flight; never negative."""
        return self.work if self._until is None else max(self._until - self._clock(), 0.0)
