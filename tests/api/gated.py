"""A store in memory whose appends wait at a gate."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from typing_extensions import override

from eventstore.events import Appended, Commit, Conflict
from eventstore.memory import InMemoryEventStore


class GatedStore(InMemoryEventStore):
    """Open at first; ``entered`` and ``appended`` tell that an append has come, and gone through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.appended = asyncio.Event()

    @override
    async def append(self, commits: Sequence[Commit], *, recorded_at: datetime) -> Appended | Conflict:
        self.entered.set()
        await self.gate.wait()
        outcome = await super().append(commits, recorded_at=recorded_at)
        self.appended.set()
        return outcome
