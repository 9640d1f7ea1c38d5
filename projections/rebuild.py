"""A projection made again from the whole log, beside the live one, and put in its place."""

from __future__ import annotations

import asyncio
import math
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from eventstore.events import RecordedEvent
from eventstore.store import EventStore, Selection
from projections.consumers import own
from projections.leases import TERMS, Lease, Terms
from projections.load import Load, Target, complete
from projections.meter import Meter, RebuildProgress, unheard
from projections.pace import Throttle
from projections.pages import read_ahead
from projections.projection import Gradual, Loadable, Projection
from projections.shadow import Difference, Place, Shadow
from projections.statements import Connection, Pool, statement
from projections.trouble import pauses

__all__ = [
    "LOAD_FROM",
    "BehindCopyError",
    "Rebuild",
    "RebuildOptions",
    "RebuildProgress",
    "Rebuilt",
    "rebuild_together",
]

log = structlog.get_logger(__name__)


LOAD_FROM: Final = 10_000
"""Events of a log that is worth reading stream by stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """How to rebuild.

    ``compare``: hold the copy against the live tables, row for row, before the swap; differences are reported and the
    swap takes place all the same, because the log is right. ``swap``: without it the copy is dropped after all (with
    ``compare``: a check). ``events_per_second`` bounds the load on the database; it must exceed what is being appended.
    ``keep_when_cancelled``: leave the copy for the next try instead of dropping it; a killed rebuild is always resumed.
    ``load_from``: a log of so many events, if the database can hold it in memory, is first read stream by stream
    (``projections.load``); a shorter one, and the rest, in its order.
    """

    compare: bool = False
    swap: bool = True
    events_per_second: float = math.inf
    keep_when_cancelled: bool = False
    page_size: int = 4_000
    differences: int = 10
    load_from: int = LOAD_FROM


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
        report: Callable[[RebuildProgress], None] = unheard,
        terms: Terms = TERMS,
    ) -> None:
        self.pool = pool
        self.store = store
        self.projection = projection
        self.options = options or RebuildOptions()
        self.shadow = Shadow(pool, projection)
        self.throttle = Throttle(self.options.events_per_second)
        self.meter = Meter(report)
        self.terms = terms
        self.events = 0
        self.rebuilt: Rebuilt | None = None
        self._gradual = projection if isinstance(projection, Gradual) else None
        self._position = 0
        self._began = 0.0
        self._differences: tuple[Difference, ...] = ()

    async def run(self) -> Rebuilt:
        """Rebuild; returns when the copy is live (or dropped, where no swap was wanted)."""
        [rebuilt] = await rebuild_together([self])
        return rebuilt

    async def prepare(self, lease: Lease, upto: int) -> Target | None:
        """Have a copy. The answer, if it has to be filled stream by stream first (up to ``upto`` if it is new)."""
        self._began = self._began or time.monotonic()
        self.meter.start()
        self.projection.forget()
        if not await self.shadow.left(lease):
            load = upto >= self.options.load_from and isinstance(self.projection, Loadable) and await self._fits()
            await self.shadow.create(lease, load_upto=upto if load else None)
        self._position, place = lease.position, await self.shadow.place()
        if self._position == 0 and (place is None or not place.stream):
            await self._look_ahead(lease)
        if place is None or not isinstance(self.projection, Loadable):
            return None
        return Target(shadow=self.shadow, lease=lease, projection=self.projection, place=place)

    async def finish(self, lease: Lease) -> None:
        """From wherever the copy is to the end."""
        self._position = lease.position
        if self.options.compare:
            await self._compare(lease)
        if self.options.swap:
            await self._swap(lease)
        else:
            await self.shadow.drop(lease)
        seconds, name = time.monotonic() - self._began, self.projection.name
        log.info("projection_rebuilt", projection=name, events=self.events, seconds=seconds)
        self.rebuilt = Rebuilt(
            events=self.events, position=self._position, seconds=seconds, differences=self._differences
        )

    async def give_up(self, lease: Lease) -> None:
        """Leave no copy behind, unless another try is to go on with it."""
        if lease.holds and not self.options.keep_when_cancelled and self.rebuilt is None:
            await self.shadow.drop(lease)

    async def reach(self) -> int:
        """The position that a new copy is to be filled up to."""
        live = await self.shadow.live_position()
        return live if self.options.compare else max(live, await self.store.head())

    async def _fits(self) -> bool:
        fits: bool = await self.pool.fetchval(statement("log_fits_memory"))
        return fits

    async def _compare(self, lease: Lease) -> None:
        while not await self._compared(lease):
            await self._work_off(lease)

    async def _compared(self, lease: Lease) -> bool:
        """Compare, unless the copy still owes something."""
        await self._approach(lease, beyond_live=False)
        async with AsyncExitStack() as stack:
            async with self.shadow.live_held() as (held, live):
                await self._replay(lease, live, _UNBOUNDED)
                if self._position != live:
                    raise BehindCopyError(f"live at {live}, copy at {self._position}")
                if await self._live_owes(held):
                    raise BehindCopyError("The live rows are still being worked on; compare when that is done.")
                if await self._owes(lease):
                    return False
                connection = await stack.enter_async_context(self.shadow.frozen())
                await connection.fetchval(statement("read_position"), self.projection.name)
            self._differences = await self.shadow.differences(connection, self.options.differences)
        for difference in self._differences:
            log.error("projection_differs", projection=self.projection.name, table=difference.table)
        return True

    async def _swap(self, lease: Lease) -> None:
        for pause in pauses():
            try:
                if await self._swapped(lease):
                    return
                await self._work_off(lease)
            except asyncpg.LockNotAvailableError as busy:
                log.warning("swap_postponed", projection=self.projection.name, reason=str(busy), retry_in=pause)
                await asyncio.sleep(pause)

    async def _swapped(self, lease: Lease) -> bool:
        """Put the copy in the place of the live tables, unless it still owes something."""
        target = await self._approach(lease, beyond_live=True)
        async with self.shadow.live_held() as (connection, live):
            await self._replay(lease, max(live, target), _UNBOUNDED)
            if await self._owes(lease):
                return False
            await self.shadow.swap(connection, lease, self._position)
        return True

    async def _approach(self, lease: Lease, *, beyond_live: bool) -> int:
        """Replay until a page or half a second of work is missing, and answer the position that was aimed at.

        The rest is left for the moment when the live projection is held.
        """
        while True:
            target = await self.shadow.live_position()
            if beyond_live:
                target = max(target, await self.store.head())
            if target - self._position <= max(self.options.page_size, self.meter.rate * _LAST_STRETCH):
                return target
            before = self._position
            await self._replay(lease, target, self.throttle)
            if self._position == before:
                return target

    async def _look_ahead(self, lease: Lease) -> None:
        """Tell an empty copy what events to come will ask of all its rows."""
        if self._gradual is not None:
            async for page in self.store.read(Selection(prefixes=self._gradual.ahead)):
                async with self.shadow.writing(lease, 0) as connection:
                    await self._gradual.apply(connection, page)
            await self._work_off(lease)

    async def _work_off(self, lease: Lease) -> None:
        """Do in the copy what its events have asked for beside rows of their own; an entity counts like an event."""
        while self._gradual is not None and await self._owes(lease):
            async with self.shadow.writing(lease, self._position) as connection:
                worked = await self._gradual.work(connection)
            await self.throttle.take(worked)

    async def _owes(self, lease: Lease) -> bool:
        if self._gradual is None:
            return False
        async with self.shadow.writing(lease, self._position) as connection:
            return await self._gradual.owes(connection)

    async def _live_owes(self, connection: Connection) -> bool:
        """Whether the live rows are not yet what their events alone decide."""
        self.projection.forget()
        owes = self._gradual is not None and await self._gradual.owes(connection)
        self.projection.forget()
        return owes

    async def _replay(self, lease: Lease, upto: int, throttle: Throttle) -> None:
        selection = Selection(after_position=self._position, to_position=upto, prefixes=self.projection.streams)
        self.meter.begin("events", self._position, upto)
        async with read_ahead(self.store.read(selection, page_size=self.options.page_size)) as pages:
            async for page in pages:
                await throttle.take(len(page))
                await self._apply(lease, page, page[-1].position)
                self.meter.tell(self._position)
        if self._position < upto and self.projection.streams:
            await self._apply(lease, (), upto)

    async def _apply(self, lease: Lease, page: Sequence[RecordedEvent], position: int) -> None:
        async with self.shadow.writing(lease, position) as connection:
            await self.projection.apply(connection, page)
        self.events += position - self._position
        self._position = position


async def rebuild_together(rebuilds: Sequence[Rebuild]) -> list[Rebuilt]:
    """Several rebuilds, of different projections, with one reading of the log; options and reports like the first's.

    Each has its own lease, copy and swap, and can be resumed alone or with others. The pool must have a connection for
    each and two more.
    """
    await _under_leases(list(rebuilds), [])
    return [rebuild.rebuilt for rebuild in rebuilds if rebuild.rebuilt is not None]


async def _under_leases(waiting: list[Rebuild], ready: list[tuple[Rebuild, Lease]]) -> None:
    """Take one lease within the other, then work: who loses one stops whatever is within, and takes it anew."""
    if not waiting:
        await _work(ready)
        return
    first, *others = waiting

    async def work(lease: Lease) -> None:
        await _under_leases(others, ready if first.rebuilt is not None else [*ready, (first, lease)])

    name, version = first.shadow.consumer, first.projection.version
    await own(first.pool, name, work, version=version, owner=uuid.uuid4().hex, terms=first.terms)


async def _work(ready: Sequence[tuple[Rebuild, Lease]]) -> None:
    try:
        await _fill(ready)
        for rebuild, lease in ready:
            if rebuild.rebuilt is None:
                await rebuild.finish(lease)
    except asyncio.CancelledError:
        for rebuild, lease in ready:
            await rebuild.give_up(lease)
        raise


async def _fill(ready: Sequence[tuple[Rebuild, Lease]]) -> None:
    """Fill those copies stream by stream that are new, or were being filled; equally far ones together."""
    upto = min([await rebuild.reach() for rebuild, _ in ready])
    groups: dict[Place, list[tuple[Rebuild, Target]]] = defaultdict(list)
    for rebuild, lease in ready:
        target = await rebuild.prepare(lease, upto)
        if target is not None:
            groups[target.place].append((rebuild, target))
    for group in groups.values():
        await _load([rebuild for rebuild, _ in group], [target for _, target in group])


async def _load(rebuilds: Sequence[Rebuild], targets: Sequence[Target]) -> None:
    first, place = rebuilds[0], targets[0].place
    meter, page_size, throttle = first.meter, first.options.page_size, first.throttle
    meter.begin("events", place.events, place.upto)
    load = Load(first.pool, first.store, targets, page_size=page_size, throttle=throttle, tell=meter.tell)
    full = await load.run()
    for rebuild in rebuilds:
        rebuild.events += full.events - place.events
    await complete(targets, full, alone=not throttle.unbounded, meter=meter)
