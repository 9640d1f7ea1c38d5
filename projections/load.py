"""Fills empty copies of read models from the log, read once, stream by stream.

Every entity comes once and whole, whatever became of it in between: its events are followed once for all the read
models, each of which writes its final rows and never reads one back. So rows can be copied in as they come, in the
order of their keys, and the indexes are built over full tables. What is kept in memory is one page, the rows that
follow from it, and the one entity that the page ends in.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from eventstore.store import EventStore
from projections.behind import WritingBehind
from projections.leases import Lease, fenced_together
from projections.lives import Life, Lives
from projections.meter import Meter
from projections.pace import Throttle
from projections.pages import Page, read_ahead
from projections.projection import Loadable
from projections.shadow import Place, Shadow
from projections.statements import Connection, Pool, statement

COMMIT_EVENTS: Final = 20_000
"""Events after which what is there is made to last: what a killed process has to do again at most."""

PAGE_EVENTS: Final = 1_000
"""No page is larger: some ten milliseconds of work."""

WRITE_ROWS: Final = 4_000
WRITE_BYTES: Final = 4 << 20
"""Rows, or bytes of states, that are written together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of the copies to be filled, with the projection that knows its rows and the right to write it."""

    shadow: Shadow
    lease: Lease
    projection: Loadable
    place: Place


class Load:
    """Fills copies that are at the same place. Commits now and then; what failed is done again by a new one.

    ``tell`` hears how many events have been read, this time and before.
    """

    def __init__(
        self,
        pool: Pool,
        store: EventStore,
        targets: Sequence[Target],
        *,
        page_size: int,
        throttle: Throttle,
        tell: Callable[[int], None],
    ) -> None:
        self._pool = pool
        self._store = store
        self._targets = targets
        self._place = self._noted = targets[0].place
        self._page_size = min(page_size, PAGE_EVENTS)
        self._throttle = throttle
        self._tell = tell
        self._lives = Lives()
        self._seen = 0

    async def run(self) -> Place:
        """Fill them with all streams up to ``place.upto``; answers the place at the end of the last."""
        begin = self._place
        pages = self._store.read_by_stream(to_position=begin.upto, after_stream=begin.stream, page_size=self._page_size)
        async with read_ahead(pages) as ahead:
            more = True
            while more:
                await self._throttle.take(self._share)
                more = await self._some(ahead)
        return self._noted

    @property
    def _share(self) -> int:
        """Events of one transaction; a bounded load does not wait inside of one."""
        return COMMIT_EVENTS if self._throttle.unbounded else self._page_size

    async def _some(self, pages: AsyncIterator[Page]) -> bool:
        """Take the next pages in one transaction; whether more follow."""
        enough = self._seen + self._share
        page: Page | None = ()
        async with self._transaction() as connection:
            async with WritingBehind() as behind:
                rows = _Rows(self._targets, connection, behind)
                while page is not None and self._seen < enough:
                    page = await anext(pages, None)
                    await rows.add(self._lives.rest() if page is None else self._lives.after(page))
                    self._seen += len(page or ())
                    self._tell(self._place.events + self._seen)
                await rows.write()
            place = self._reached
            for target in self._targets:
                await target.projection.sum_up(connection)
                await target.shadow.note(connection, self._noted, place)
        self._noted = place
        return page is not None

    @property
    def _reached(self) -> Place:
        stream = self._lives.complete or self._place.stream
        return replace(self._place, stream=stream, events=self._place.events + self._lives.events)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        moves = [(target.lease, target.lease.position) for target in self._targets]
        async with fenced_together(self._pool, moves) as connection:
            await connection.execute(statement("enter_shadow"), [target.shadow.schema for target in self._targets])
            for target in self._targets:
                await target.projection.begin_load(connection)
            yield connection


class _Rows:
    """Rows on their way into the tables, written some thousand at a time behind those that are worked out."""

    def __init__(self, targets: Sequence[Target], connection: Connection, behind: WritingBehind) -> None:
        self._projections = [target.projection for target in targets]
        self._connection = connection
        self._behind = behind
        self._tables: dict[str, list[tuple[object, ...]]] = {}
        self._rows = 0
        self._bytes = 0

    async def add(self, lives: Sequence[Life]) -> None:
        for projection in self._projections:
            for table, rows in projection.load(lives).items():
                self._tables.setdefault(table, []).extend(rows)
                self._rows += len(rows)
        self._bytes += sum(len(life.frozen) for life in lives)
        if self._rows >= WRITE_ROWS or self._bytes >= WRITE_BYTES:
            await self.write()

    async def write(self) -> None:
        """Begin to write what there is."""
        tables, self._tables, self._rows, self._bytes = self._tables, {}, 0, 0
        await self._behind.put(_copy(self._connection, tables.items()))


async def _copy(connection: Connection, tables: Iterable[tuple[str, list[tuple[object, ...]]]]) -> None:
    for table, rows in tables:
        if rows:
            await connection.copy_records_to_table(table, records=rows)


async def complete(targets: Sequence[Target], place: Place, *, alone: bool, meter: Meter) -> None:
    """Build the indexes of full copies, those of different ones side by side unless ``alone``, and settle their rows.

    The meter counts bytes of tables, each as often as there are indexes over it.
    """
    missing = [(target, await target.shadow.missing()) for target in targets]
    done = 0
    meter.begin("indexes", done, sum(size for _, indexes in missing for _, size in indexes))

    async def build(target: Target, indexes: Sequence[tuple[str, int]]) -> None:
        nonlocal done
        for index, size in indexes:
            await target.shadow.build(target.lease, index, alone=alone)
            done += size
            meter.tell(done)
        await target.shadow.analyze(target.lease)
        async with target.shadow.writing(target.lease, place.upto) as connection:
            await target.shadow.complete(connection, place)
            await target.projection.settle(connection)

    if alone:
        for target, indexes in missing:
            await build(target, indexes)
    else:
        await _side_by_side([build(target, indexes) for target, indexes in missing])


async def _side_by_side(works: Iterable[Coroutine[object, object, None]]) -> None:
    """All of them, or the first that fails, and then none goes on."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
