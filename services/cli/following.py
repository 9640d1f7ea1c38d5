"""Following the log: a table that moves on a terminal, lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from rich.live import Live
from rich.table import Table

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from services.cli.connection import Log
from services.cli.printing import console, event_lines, event_row, event_table, write_lines

TITLE = "following the log, Ctrl-C ends"


async def follow(log: Log, chosen: Selection, *, from_now: bool, as_json: bool) -> None:
    """Print the selected events for ever; ``from_now`` leaves out what is in the log already."""
    async with log.store:
        start = await log.store.head()
        following = log.store.subscribe(replace(chosen, after_position=start) if from_now else chosen)
        if as_json:
            async for batch in following:
                write_lines(event_lines(batch))
        elif console().is_terminal:
            await _live(following)
        else:
            async for batch in following:
                write_lines(b"".join("\t".join(event_row(event)).encode() + b"\n" for event in batch))


async def _live(following: AsyncIterator[Sequence[RecordedEvent]]) -> None:
    out = console()
    rows = max(out.height - 5, 5)
    shown: deque[RecordedEvent] = deque(maxlen=rows)
    with Live(event_table(TITLE), console=out, refresh_per_second=8) as live:
        async for batch in following:
            shown.extend(batch)
            live.update(_table(shown))


def _table(events: Sequence[RecordedEvent]) -> Table:
    table = event_table(TITLE)
    for event in events:
        table.add_row(*event_row(event))
    return table
