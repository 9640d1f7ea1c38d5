"""Waiting until a read model has reached a position: reading one's own writes."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from types import TracebackType

import structlog

from projections.statements import Pool, statement
from projections.trouble import TROUBLE

log = structlog.get_logger(__name__)


class Freshness:
    """How far one projection has come, whichever process runs it.

    A runner in this process tells through ``note``; otherwise the checkpoint is asked for every ``poll`` seconds,
    by one task for all who wait, and only while somebody waits. Opened and closed with ``async with``.
    """

    def __init__(self, pool: Pool, name: str, *, poll: float = 0.02) -> None:
        self._pool = pool
        self._name = name
        self._poll = poll
        self._reached = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Freshness:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def note(self, position: int) -> None:
        """The rows up to ``position`` are committed."""
        self._reached = max(self._reached, position)
        while self._waiting and self._waiting[0][0] <= self._reached:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    async def wait_for(self, position: int, *, timeout: float) -> bool:  # noqa: ASYNC109  (false, not an error)
        """Whether rows up to ``position`` can be read within ``timeout`` seconds."""
        if position <= self._reached:
            return True
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (position, next(self._numbers), future))
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name=f"freshness of {self._name}")
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        return True

    async def _ask(self) -> None:
        """Ends when nobody waits any more; those who gave up are dropped on the way."""
        while self._waiting:
            try:
                position = await self._pool.fetchval(statement("read_position"), self._name)
                self.note(position or 0)
            except TROUBLE as trouble:
                log.warning("freshness_unknown", projection=self._name, reason=str(trouble))
            await asyncio.sleep(self._poll)
            self._waiting = [entry for entry in self._waiting if not entry[2].done()]
            heapq.heapify(self._waiting)
