"""Sending a part of the log again, as lines of JSON: to standard output or to a file, which can be resumed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, cast

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from services.cli.connection import Log
from services.cli.exits import Exit, fail
from services.cli.printing import event_lines

PAGE: Final = 5_000
LINE_BEGIN: Final = b'{"position":'
STEP_BYTES: Final = 1_048_576


async def to_stdout(log: Log, chosen: Selection) -> None:
    """Lines of JSON on standard output; the progress bar goes to standard error."""
    await _to_stream(log, chosen, sys.stdout.buffer)
    sys.stdout.buffer.flush()


async def to_file(log: Log, chosen: Selection, path: Path, *, resume: bool) -> None:
    """Lines of JSON in a file. Resuming cuts a torn last line off and goes on after the last whole one."""
    try:
        regular = path.is_file()
        if regular and resume:
            chosen = after_position(chosen, cut_torn_line(path))
        elif regular:
            fail(f"{path} exists. Go on with it by --resume, or choose another file.", Exit.USAGE)
        with path.open("ab" if regular else "wb") as opened:
            file = cast("BinaryIO", opened)  # a binary mode gives a binary file, which the stubs cannot see
            await _to_stream(log, chosen, file)
            file.flush()
            if path.is_file():
                os.fsync(file.fileno())
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")


def after_position(chosen: Selection, position: int) -> Selection:
    """What is left of a selection whose events up to ``position`` were sent, if any were.

    The beginning in time goes: it was met by the events that were sent, time never runs backwards along positions, and
    an age (``--since 7d``) that has moved on meanwhile must not leave a hole.
    """
    if not position:
        return chosen
    return replace(chosen, after_position=max(chosen.after_position, position), from_time=None)


async def pages_with_progress(log: Log, chosen: Selection) -> AsyncGenerator[Sequence[RecordedEvent], None]:
    """The selected pages, with a progress bar over log positions and the rate in events per second.

    The next page is read while the caller works on this one.
    """
    end = await log.store.head()
    with _progress() as bar:
        task = bar.add_task("replaying", total=None, events=0, rate="")
        pages = aiter(log.store.read(chosen, page_size=PAGE))
        count, start = 0, None
        upcoming = asyncio.ensure_future(anext(pages, None))
        try:
            while page := await upcoming:
                upcoming = asyncio.ensure_future(anext(pages, None))
                await asyncio.sleep(0)  # its query is on the way
                yield page
                start = page[0].position - 1 if start is None else start
                count += len(page)
                rate = f"{count / max(bar.tasks[0].elapsed or 0.0, 0.001):,.0f}/s"
                bar.update(task, completed=page[-1].position - start, total=end - start, events=count, rate=rate)
        finally:
            upcoming.cancel()
        bar.update(task, completed=max(end - (start or 0), 1), total=max(end - (start or 0), 1))


def cut_torn_line(path: Path) -> int:
    """Cut what follows the last whole line and say that line's log position, 0 for none.

    Ends the command, with the file untouched, if it does not hold a replayed log.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        begin, tail = size, b""
        while begin and tail.rstrip(b"\n").count(b"\n") < 2:
            begin = max(begin - STEP_BYTES, 0)
            file.seek(begin)
            tail = file.read(size - begin)
        whole = tail.rfind(b"\n") + 1
        last = tail[:whole].rstrip(b"\n").rpartition(b"\n")[2]
        torn = tail[whole:]
        if (last and not last.startswith(LINE_BEGIN)) or not (torn + LINE_BEGIN).startswith(LINE_BEGIN[: len(torn)]):
            fail(f"{path} does not hold a replayed log; nothing was changed.", Exit.USAGE)
        file.truncate(begin + whole)
    return int(orjson.loads(last)["position"]) if last else 0


async def _to_stream(log: Log, chosen: Selection, file: BinaryIO) -> None:
    async with aclosing(pages_with_progress(log, chosen)) as pages:
        async for page in pages:
            file.write(event_lines(page))


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[events]:,} events {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
