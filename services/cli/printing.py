"""How events are shown: as lines of JSON for programs, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from rich.console import Console
from rich.table import Table

from eventstore.events import RecordedEvent

VALUE_WIDTH = 60
PIPE_WIDTH = 160


def console() -> Console:
    """Standard output: as wide as the terminal, and wide enough for a table where there is none."""
    found = Console()
    return found if found.is_terminal else Console(width=max(found.width, PIPE_WIDTH))


def event_line(event: RecordedEvent) -> bytes:
    """One event as one line of JSON with its value and headers exactly as they lie in the log."""
    return orjson.dumps(
        {
            "position": event.position,
            "stream": event.stream,
            "revision": event.revision,
            "type": event.type,
            "path": event.path,
            "value": None if event.value is None else orjson.Fragment(event.value),
            "headers": orjson.Fragment(event.headers),
            "recordedAt": event.recorded_at,
            "commandId": event.command_id,
        },
        option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
    )


def event_lines(events: Sequence[RecordedEvent]) -> bytes:
    """Many events, one line each."""
    return b"".join(map(event_line, events))


def event_table(title: str | None = None) -> Table:
    """An empty table with the columns of ``event_row``."""
    table = Table(title=title, header_style="bold", expand=False)
    table.add_column("position", justify="right", style="cyan", no_wrap=True)
    table.add_column("recorded (UTC)", no_wrap=True)
    table.add_column("stream", overflow="fold", min_width=12)
    table.add_column("rev", justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("path", overflow="fold", min_width=8)
    table.add_column("value", overflow="ellipsis", no_wrap=True, min_width=8, max_width=VALUE_WIDTH)
    table.add_column("by", overflow="fold", min_width=8)
    return table


def event_row(event: RecordedEvent) -> tuple[str, ...]:
    """One event as the cells of a table row: what happened to whom, when, and who did it."""
    originator = orjson.loads(event.headers).get("ditto-originator", "")
    return (
        str(event.position),
        event.recorded_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        event.stream,
        str(event.revision),
        event.type,
        event.path,
        (event.value or b"").decode(),
        str(originator),
    )
