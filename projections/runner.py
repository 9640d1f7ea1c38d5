"""Keeps one projection up with the log."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from eventstore.events import RecordedEvent
from eventstore.store import EventStore, Selection
from projections.consumers import own
from projections.freshness import Freshness
from projections.leases import TERMS, Lease, LeaseLost, Terms, fenced
from projections.pages import closing
from projections.projection import Gradual, Loadable, NeedsRebuild, Projection
from projections.rebuild import LOAD_FROM, Rebuild, RebuildOptions
from projections.statements import Connection, Pool

log = structlog.get_logger(__name__)

SHARE: Final = 0.1
"""The part of the time that a projection takes for itself while it keeps up."""

GRADUAL_SHARE: Final = 0.25
"""The part of the time that goes into what ``Gradual`` projections owe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One batch is in the tables; ``seconds`` is what it took, ``events`` how many it had."""

    projection: str
    position: int
    events: int
    seconds: float


def _unheard(_: Applied) -> None:
    """Nobody wants to know."""


class ProjectionRunner:
    """Runs a projection whenever it is this process's turn; ``run`` lasts until it is cancelled.

    Rows and checkpoint are one transaction under the lease, so each event counts once, whoever dies when. Batches adapt
    themselves: whatever was appended while the last one was written is the next, and while events keep coming a batch
    begins at most every ``pace`` seconds, because a larger one costs little more and coalesces better; the first event
    after a pause does not wait. When batches become dear the pauses grow with them, up to ``longest_pace``, so that a
    read model that keeps up leaves ``1 - SHARE`` of the time to the commands; one that is a whole page behind never
    pauses. A page is small enough not to hold up the event loop for long.

    What a ``Gradual`` projection owes is worked off between the batches, in transactions of their own.

    Rows made by another version of the projection, or rows that do not fit their events, are replaced by a rebuild
    before anything is added to them; and where there are none yet, but a long log, a rebuild makes them faster. A stop
    keeps what such a rebuild has done for the next start.
    """

    def __init__(  # noqa: PLR0913  (all but three have defaults, each explained above)
        self,
        pool: Pool,
        store: EventStore,
        make: Callable[[], Projection],
        *,
        owner: str | None = None,
        terms: Terms = TERMS,
        page_size: int = 500,
        pace: float = 0.02,
        longest_pace: float = 0.1,
        load_from: int = LOAD_FROM,
        freshness: Freshness | None = None,
        on_applied: Callable[[Applied], None] = _unheard,
    ) -> None:
        self._pool = pool
        self._store = store
        self._make = make
        self._projection = make()
        self._gradual = self._projection if isinstance(self._projection, Gradual) else None
        self._owner = owner or uuid.uuid4().hex
        self._terms = terms
        self._page_size = page_size
        self._options = RebuildOptions(keep_when_cancelled=True, page_size=page_size, load_from=load_from)
        self._pace = pace
        self._longest_pace = max(pace, longest_pace)
        self._writing = asyncio.Lock()
        self._owing = asyncio.Event()
        self._freshness = freshness
        self._on_applied = on_applied

    @property
    def name(self) -> str:
        """The projection's name."""
        return self._projection.name

    async def run(self) -> None:
        """Follow the log for ever, through lost databases and lost leases; cancel to stop at once and leave cleanly."""
        version = self._projection.version
        await own(self._pool, self.name, self._turn, version=version, owner=self._owner, terms=self._terms)

    async def _turn(self, lease: Lease) -> None:
        self._projection.forget()
        if lease.version != self._projection.version:
            log.warning("projection_version_changed", projection=self.name, found=lease.version)
            await self._rebuild()
        if lease.position == 0 and await self._has_much_to_load():
            log.info("projection_begins", projection=self.name)
            await self._rebuild()
        try:
            await self._keep_up(lease)
        except NeedsRebuild as reason:
            log.warning("projection_needs_rebuild", projection=self.name, reason=str(reason))
            await self._rebuild()

    async def _keep_up(self, lease: Lease) -> None:
        """Follow the log, and work off what is owed beside it; ends as the first of the two does."""
        works = [self._follow(lease)]
        if self._gradual is not None:
            self._owing.set()
            works.append(self._work_off(lease, self._gradual))
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work_off(self, lease: Lease, projection: Gradual) -> None:
        while True:
            await self._owing.wait()
            began = time.monotonic()
            async with self._writing, self._transaction(lease, lease.position) as connection:
                await projection.work(connection)
                if not await projection.owes(connection):
                    self._owing.clear()
            spent = time.monotonic() - began
            await asyncio.sleep(spent / GRADUAL_SHARE - spent)

    async def _follow(self, lease: Lease) -> None:
        selection = Selection(after_position=lease.position)
        async with closing(self._store.subscribe(selection, page_size=self._page_size)) as batches:
            async for batch in batches:
                began = time.monotonic()
                await self._apply(lease, batch)
                spent = time.monotonic() - began
                pace = min(max(self._pace, spent / SHARE), self._longest_pace)
                if spent < pace and len(batch) < self._page_size:
                    await asyncio.sleep(pace - spent)

    async def _apply(self, lease: Lease, batch: Sequence[RecordedEvent]) -> None:
        began = time.monotonic()
        position = batch[-1].position
        async with self._writing, self._transaction(lease, position) as connection:
            await self._projection.apply(connection, batch)
            if self._gradual is not None and await self._gradual.owes(connection):
                self._owing.set()
        if self._freshness is not None:
            self._freshness.note(position)
        seconds = time.monotonic() - began
        self._on_applied(Applied(projection=self.name, position=position, events=len(batch), seconds=seconds))

    @asynccontextmanager
    async def _transaction(self, lease: Lease, position: int) -> AsyncIterator[Connection]:
        """A fenced one, after which the projection remembers only what was committed."""
        try:
            async with fenced(self._pool, lease, position) as connection:
                yield connection
        except BaseException:
            self._projection.forget()
            raise

    async def _has_much_to_load(self) -> bool:
        return isinstance(self._projection, Loadable) and await self._store.head() >= self._options.load_from

    async def _rebuild(self) -> None:
        """Replace the rows; the swap takes our lease away, so this turn ends here and the next finds the new ones."""
        options = self._options
        await Rebuild(self._pool, self._store, self._make(), options=options, terms=self._terms).run()
        raise LeaseLost(self.name)
