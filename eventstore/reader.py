"""Pages of the log: by position, by time, by stream, forwards and backwards, with the memory of one page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Final, TypeAlias

import asyncpg

from eventstore.errors import translate_errors
from eventstore.events import RecordedEvent, StreamName
from eventstore.pool import Pool, PooledConnection
from eventstore.statements import statement
from eventstore.store import Selection

ACQUIRE_SECONDS: Final = 10.0
"""How long to wait for a free connection before the database counts as too busy."""

STRIDE: Final = 20_000
"""Positions looked at by one statement when a filter may pass few of them: keeps every statement short."""

_LAST: Final = 2**63 - 1

Pages: TypeAlias = AsyncGenerator[Sequence[RecordedEvent], None]


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[PooledConnection]:
    """A connection from the pool. Raises ``StoreUnavailable`` if there is none; what the body raises is left alone."""
    with translate_errors():
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
    try:
        yield connection
    finally:
        with translate_errors():
            await pool.release(connection)


def events_of(rows: Iterable[asyncpg.Record]) -> list[RecordedEvent]:
    """Rows of ``events``, columns in the order of the fields, as events."""
    return [
        RecordedEvent(
            position=position,
            stream=stream,
            revision=revision,
            type=type_,
            path=path,
            value=value,
            headers=headers,
            recorded_at=recorded_at,
            command_id=command_id,
        )
        for position, stream, revision, type_, path, value, headers, recorded_at, command_id in rows
    ]


class LogReader:
    """Reads a log through a pool. Each page takes a connection and gives it back, so that a slow reader holds none."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def rows(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """What a statement answers. Raises ``StoreUnavailable``."""
        async with connected(self._pool) as connection:
            with translate_errors():
                return await connection.fetch(statement(name), *arguments)

    async def head(self) -> int:
        """The last position, 0 for an empty log."""
        rows = await self.rows("head")
        return int(rows[0][0]) if rows else 0

    async def position_at(self, time: datetime) -> int | None:
        """The first position recorded at ``time`` or later, if there is one."""
        rows = await self.rows("position_at_time", time)
        return int(rows[0][0]) if rows else None

    async def stream(self, stream: StreamName, after_revision: int, to_revision: int | None) -> list[RecordedEvent]:
        """Events of one stream."""
        last = _LAST if to_revision is None else to_revision
        return events_of(await self.rows("read_stream", stream, after_revision, last))

    async def span(self, selection: Selection) -> tuple[int, int]:
        """The selection's positions, first exclusive and last inclusive, in the log as it is now."""
        after, last = selection.after_position, await self.head()
        if selection.to_position is not None:
            last = min(last, selection.to_position)
        if selection.from_time is not None:
            first = await self.position_at(selection.from_time)
            after = max(after, last if first is None else first - 1)
        if selection.to_time is not None and (end := await self.position_at(selection.to_time)) is not None:
            last = min(last, end - 1)
        return max(after, 0), last

    async def pages(self, selection: Selection, *, backwards: bool, page_size: int) -> Pages:
        """The selected events up to the present head; no page is empty."""
        after, last = await self.span(selection)
        pages = self._stream_pages if selection.stream is not None else self._log_pages
        async with aclosing(pages(selection, after, last, backwards=backwards, page_size=page_size)) as found:
            async for page in found:
                yield page

    async def pages_by_stream(self, upto: int, after_stream: str, page_size: int) -> Pages:
        """Events up to a position, stream by stream; no page is empty."""
        stream, revision, full = after_stream, _LAST, True
        while full:
            page = events_of(await self.rows("read_by_stream", stream, revision, upto, page_size))
            if page:
                yield page
                stream, revision = page[-1].stream, page[-1].revision
            full = len(page) == page_size

    async def _log_pages(
        self, selection: Selection, after: int, last: int, *, backwards: bool, page_size: int
    ) -> Pages:
        prefixes, types = selection.prefixes or None, selection.types or None
        stride = page_size if prefixes is None and types is None else max(page_size, STRIDE)
        name = "read_backwards" if backwards else "read_forwards"
        while after < last:
            low, high = (max(after, last - stride), last) if backwards else (after, min(after + stride, last))
            page = events_of(await self.rows(name, low, high, prefixes, types, page_size))
            if page:
                yield page
            full = len(page) == page_size
            if backwards:
                last = page[-1].position - 1 if full else low
            else:
                after = page[-1].position if full else high

    async def _stream_pages(
        self, selection: Selection, after: int, last: int, *, backwards: bool, page_size: int
    ) -> Pages:
        stream = selection.stream or ""
        if selection.prefixes and not stream.startswith(selection.prefixes):
            return
        name = "read_stream_backwards" if backwards else "read_stream_forwards"
        place = _LAST if backwards else 0
        full = after < last
        while full:
            page = events_of(await self.rows(name, stream, place, after, last, selection.types or None, page_size))
            if page:
                yield page
                place = page[-1].revision
            full = len(page) == page_size
