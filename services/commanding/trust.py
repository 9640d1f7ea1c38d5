"""What commanding asks of the sole writer's lease; ``eventstore.sole_writer.SoleWriter`` is the real one."""

from __future__ import annotations

from typing import Protocol


class Trust(Protocol):
    """The lease under which nobody else can append, so that what this process knows of the log stays true."""

    @property
    def epoch(self) -> int:
        """Changes whenever trust starts anew; never negative."""
        ...

    def holds(self) -> bool:
        """Whether the lease holds at this moment."""
        ...
