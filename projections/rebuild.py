"""A projection made again from the whole log, beside the live one, and put in its place."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import structlog

from eventstore.store import EventStore, Selection
from projections.consumers import own
from projections.leases import TERMS, Lease, Terms
from projections.pace import Throttle
from projections.pages import read_ahead
from projections.projection import Gradual, Projection
from projections.shadow import Difference, Shadow
from projections.statements import Connection, Pool, statement
from projections.trouble import pauses

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """How to rebuild.

    ``compare``: hold the copy against the live tables, row for row, before the swap; differences are reported and the
    swap takes place all the same, because the log is right. ``swap``: without it the copy is dropped after all (with
    ``compare``: a check). ``events_per_second`` bounds the load on the database; it must exceed what is being appended.
    ``keep_when_cancelled``: leave the copy for the next try instead of dropping it; a killed rebuild is always resumed.
    """

    compare: bool = False
    swap: bool = True
    events_per_second: float = math.inf
    keep_when_cancelled: bool = False
    page_size: int = 4_000
    differences: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildProgress:
    """``done`` of ``total`` events are in the copy; ``rate`` in events per second, ``remaining`` in seconds."""

    done: int
    total: int
    rate: float
    remaining: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of a rebuild: replayed events of this run, the position reached, and the first differences found."""

    events: int
    position: int
    seconds: float
    differences: tuple[Difference, ...]


class BehindCopyError(Exception):
    """The live projection is behind the copy and does not move, or owes work, so that the two cannot be compared."""


_UNBOUNDED = Throttle(math.inf)
_LAST_STRETCH = 0.5
"""Seconds for which the live projection may be held at the end."""


def _unheard(_: RebuildProgress) -> None:
    """Nobody wants to know."""


class Rebuild:
    """One rebuild of one projection; of several at once, in whatever process, one works and the others wait.

    The projection is an instance of its own, for the copy. The live one keeps running until the swap, which holds it up
    for one transaction; then it takes its lease again and goes on from the same position. Nothing but the projection's
    tables is written, so no side effect can come of it. Lost leases and databases are survived; cancel ``run`` to stop.
    """

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        projection: Projection,
        *,
        options: RebuildOptions | None = None,
        report: Callable[[RebuildProgress], None] = _unheard,
        terms: Terms = TERMS,
    ) -> None:
        self._pool = pool
        self._store = store
        self._projection = projection
        self._gradual = projection if isinstance(projection, Gradual) else None
        self._options = options or RebuildOptions()
        self._report = report
        self._terms = terms
        self._shadow = Shadow(pool, projection)
        self._throttle = Throttle(self._options.events_per_second)
        self._position = 0
        self._events = 0
        self._began = 0.0
        self._differences: tuple[Difference, ...] = ()

    async def run(self) -> Rebuilt:
        """Rebuild; returns when the copy is live (or dropped, where no swap was wanted)."""
        self._began = time.monotonic()
        name, version, owner = self._shadow.consumer, self._projection.version, uuid.uuid4().hex
        await own(self._pool, name, self._work, version=version, owner=owner, terms=self._terms)
        seconds = time.monotonic() - self._began
        log.info("projection_rebuilt", projection=self._projection.name, events=self._events, seconds=seconds)
        return Rebuilt(events=self._events, position=self._position, seconds=seconds, differences=self._differences)

    async def _work(self, lease: Lease) -> None:
        self._projection.forget()
        self._position = await self._shadow.prepare(lease)
        if self._position == 0:
            await self._look_ahead(lease)
        try:
            if self._options.compare:
                await self._compare(lease)
            if self._options.swap:
                await self._swap(lease)
            else:
                await self._shadow.drop(lease)
        except asyncio.CancelledError:
            if lease.holds and not self._options.keep_when_cancelled:
                await self._shadow.drop(lease)
            raise

    async def _compare(self, lease: Lease) -> None:
        while not await self._compared(lease):
            await self._work_off(lease)

    async def _compared(self, lease: Lease) -> bool:
        """Compare, unless the copy still owes something."""
        await self._approach(lease, beyond_live=False)
        async with AsyncExitStack() as stack:
            async with self._shadow.live_held() as (held, live):
                await self._replay(lease, live, _UNBOUNDED)
                if self._position != live:
                    raise BehindCopyError(f"live at {live}, copy at {self._position}")
                if await self._live_owes(held):
                    raise BehindCopyError("The live rows are still being worked on; compare when that is done.")
                if await self._owes(lease):
                    return False
                connection = await stack.enter_async_context(self._shadow.frozen())
                await connection.fetchval(statement("read_position"), self._projection.name)
            self._differences = await self._shadow.differences(connection, self._options.differences)
        for difference in self._differences:
            log.error("projection_differs", projection=self._projection.name, table=difference.table)
        return True

    async def _swap(self, lease: Lease) -> None:
        for pause in pauses():
            try:
                if await self._swapped(lease):
                    return
                await self._work_off(lease)
            except asyncpg.LockNotAvailableError as busy:
                log.warning("swap_postponed", projection=self._projection.name, reason=str(busy), retry_in=pause)
                await asyncio.sleep(pause)

    async def _swapped(self, lease: Lease) -> bool:
        """Put the copy in the place of the live tables, unless it still owes something."""
        target = await self._approach(lease, beyond_live=True)
        async with self._shadow.live_held() as (connection, live):
            await self._replay(lease, max(live, target), _UNBOUNDED)
            if await self._owes(lease):
                return False
            await self._shadow.swap(connection, lease, self._position)
        return True

    async def _approach(self, lease: Lease, *, beyond_live: bool) -> int:
        """Replay until a page or half a second of work is missing, and answer the position that was aimed at.

        The rest is left for the moment when the live projection is held.
        """
        while True:
            target = await self._shadow.live_position()
            if beyond_live:
                target = max(target, await self._store.head())
            if target - self._position <= max(self._options.page_size, self._rate() * _LAST_STRETCH):
                return target
            before = self._position
            await self._replay(lease, target, self._throttle)
            if self._position == before:
                return target

    async def _look_ahead(self, lease: Lease) -> None:
        """Tell an empty copy what events to come will ask of all its rows."""
        if self._gradual is not None:
            async for page in self._store.read(Selection(prefixes=self._gradual.ahead)):
                async with self._shadow.writing(lease, 0) as connection:
                    await self._gradual.apply(connection, page)
            await self._work_off(lease)

    async def _work_off(self, lease: Lease) -> None:
        """Do in the copy what its events have asked for beside rows of their own."""
        more = self._gradual is not None
        while more and self._gradual is not None:
            async with self._shadow.writing(lease, self._position) as connection:
                more = await self._gradual.work(connection)

    async def _owes(self, lease: Lease) -> bool:
        if self._gradual is None:
            return False
        async with self._shadow.writing(lease, self._position) as connection:
            return await self._gradual.owes(connection)

    async def _live_owes(self, connection: Connection) -> bool:
        """Whether the live rows are not yet what their events alone decide."""
        self._projection.forget()
        owes = self._gradual is not None and await self._gradual.owes(connection)
        self._projection.forget()
        return owes

    async def _replay(self, lease: Lease, upto: int, throttle: Throttle) -> None:
        selection = Selection(after_position=self._position, to_position=upto)
        async with read_ahead(self._store.read(selection, page_size=self._options.page_size)) as pages:
            async for page in pages:
                await throttle.take(len(page))
                position = page[-1].position
                async with self._shadow.writing(lease, position) as connection:
                    await self._projection.apply(connection, page)
                self._position = position
                self._events += len(page)
                self._tell(upto)

    def _rate(self) -> float:
        return self._events / max(time.monotonic() - self._began, 1e-6)

    def _tell(self, total: int) -> None:
        rate = self._rate()
        remaining = (total - self._position) / rate
        self._report(RebuildProgress(done=self._position, total=total, rate=rate, remaining=remaining))
