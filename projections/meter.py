"""How far a rebuild is, and how fast it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["events", "indexes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildProgress:
    """How far one stage is, of which each is measured for itself.

    ``events``: ``done`` of ``total`` events are in the copy; it comes once more for what was appended since.
    ``indexes``: indexes are built over so many bytes of tables. ``rate`` is per second, ``remaining`` in seconds.
    """

    done: int
    total: int
    rate: float
    remaining: float
    stage: Stage = "events"


def unheard(_: RebuildProgress) -> None:
    """Nobody wants to know."""


class Meter:
    """Measures one stage after the other and reports."""

    def __init__(self, report: Callable[[RebuildProgress], None] = unheard) -> None:
        self._report = report
        self._stage: Stage = "events"
        self._from = self._done = self._total = 0
        self._began = time.monotonic()
        self._told = True

    def start(self) -> None:
        """The rebuild begins; what is done before its first stage counts with that."""
        self._began, self._told = time.monotonic(), False

    def begin(self, stage: Stage, done: int, total: int) -> None:
        """A stage begins with so much of it done already."""
        self._stage, self._from, self._done, self._total = stage, done, done, total
        if self._told:
            self.start()

    @property
    def rate(self) -> float:
        """What has been done per second since the stage began."""
        return (self._done - self._from) / max(time.monotonic() - self._began, 1e-6)

    def tell(self, done: int) -> None:
        """Report that so much is done now."""
        self._done, self._told = done, True
        rate = max(self.rate, 1e-6)
        remaining = (self._total - done) / rate
        self._report(RebuildProgress(done=done, total=self._total, rate=rate, remaining=remaining, stage=self._stage))
