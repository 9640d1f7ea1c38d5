"""Printing pages of the log."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence

import typer

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from services.cli.connection import Log
from services.cli.printing import console, event_lines, event_row, event_table, write_lines


async def selected_events(
    log: Log, chosen: Selection, last: int | None, limit: int | None
) -> AsyncIterator[Sequence[RecordedEvent]]:
    """The selected events, or the last of them, oldest first, no more than ``limit``."""
    room = limit if limit is not None else sys.maxsize
    async for page in _last(log, chosen, last) if last else log.store.read(chosen, page_size=min(room, 1_000)):
        yield page[:room]
        room -= len(page)
        if room <= 0:
            break


async def _last(log: Log, chosen: Selection, count: int) -> AsyncIterator[Sequence[RecordedEvent]]:
    found: list[RecordedEvent] = []
    async for page in log.store.read(chosen, backwards=True, page_size=min(count, 1_000)):
        found.extend(page)
        if len(found) >= count:
            break
    yield list(reversed(found[:count]))


async def print_events(pages: AsyncIterator[Sequence[RecordedEvent]], *, as_json: bool) -> None:
    """A table for each page, or a line of JSON for each event."""
    out = console()
    page: Sequence[RecordedEvent] | None = None
    async for page in pages:
        if as_json:
            write_lines(event_lines(page))
            continue
        table = event_table()
        for event in page:
            table.add_row(*event_row(event))
        out.print(table)
    if page is None:
        typer.echo("No event matches.", err=True)
