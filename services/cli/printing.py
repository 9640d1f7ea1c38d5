"""How events are shown: as lines of JSON for programs, as a table for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from typing_extensions import override

from eventstore.events import RecordedEvent
from services.cli.exits import Exit

PIPE_WIDTH: Final = 160

_LINE: Final = (
    b'{"position":%d,"stream":%b,"revision":%d,"type":%b,"path":%b,"value":%b,"headers":%b,"recordedAt":%b,'
    b'"commandId":%b}\n'
)


class Output(Console):
    """Standard output. A reader that has seen enough (``| head``) ends the command, without a word."""

    @override
    def on_broken_pipe(self) -> None:
        silence_output()
        raise typer.Exit(Exit.DONE)


def console() -> Console:
    """Standard output: as wide as the terminal, and wide enough for a table where there is none."""
    found = _plain()
    return found if found.is_terminal else _plain(max(found.width, PIPE_WIDTH))


def _plain(width: int | None = None) -> Output:
    """Ids and values are text: ``thing:a:b`` is no emoji, and ``[red]`` in a value no colour."""
    return Output(width=width, markup=False, emoji=False, highlight=False)


def silence_output() -> None:
    """Let what is still buffered for a reader that went away vanish, or the interpreter complains as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def write_lines(lines: bytes) -> None:
    """Write to standard output now, so that the other end of a pipe sees it."""
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def event_line(event: RecordedEvent) -> bytes:
    """One event as one line of JSON with its value and headers exactly as they lie in the log.

    Formatted around the stored bytes: a document per event through ``orjson`` costs three times as much.
    """
    text = orjson.dumps
    return _LINE % (
        event.position,
        text(event.stream),
        event.revision,
        text(event.type),
        text(event.path),
        b"null" if event.value is None else event.value,
        event.headers,
        text(event.recorded_at, None, orjson.OPT_UTC_Z),
        text(event.command_id),
    )


def event_lines(events: Sequence[RecordedEvent]) -> bytes:
    """Many events, one line each."""
    return b"".join(map(event_line, events))


def event_table(title: str | None = None) -> Table:
    """An empty table with the columns of ``event_row``; what cannot shrink is narrow, the rest shares the width."""
    table = Table(title=title, header_style="bold", expand=True)
    table.add_column("position", justify="right", style="cyan", no_wrap=True)
    table.add_column("recorded (UTC)", overflow="fold", min_width=10)
    table.add_column("stream", overflow="fold", ratio=3)
    table.add_column("rev", justify="right", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("path", overflow="fold", ratio=3)
    table.add_column("value", overflow="ellipsis", no_wrap=True, ratio=4)
    table.add_column("by", overflow="fold", ratio=2)
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
