"""Sending a part of the log again: to standard output, to a file, to an AMQP exchange."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, cast

import aio_pika
import orjson
from aio_pika.abc import AbstractExchange
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from protocol.wire.envelope import CONTENT_TYPE
from services.amqp.envelopes import envelope_of
from services.amqp.routing import routing_prefix
from services.cli.connection import Exit, Log, amqp_url, fail
from services.cli.printing import event_lines

PAGE = 5_000
TAIL_BYTES = 1_048_576


async def to_stdout(log: Log, chosen: Selection) -> None:
    """Lines of JSON on standard output; the progress bar goes to standard error."""
    await _to_stream(log, chosen, sys.stdout.buffer)


async def to_file(log: Log, chosen: Selection, path: Path, *, resume: bool) -> None:
    """Lines of JSON in a file. Resuming cuts a torn last line off and goes on after the last whole one."""
    if resume and path.exists():
        chosen = replace(chosen, after_position=max(chosen.after_position, _last_position(path)))
        mode = "ab"
    else:
        mode = "wb" if resume or not path.exists() else fail(f"{path} exists; add --resume or choose another file.")
    with path.open(mode) as opened:
        file = cast("BinaryIO", opened)  # a binary mode gives a binary file, which the stubs cannot see
        await _to_stream(log, chosen, file)
        file.flush()
        os.fsync(file.fileno())


async def pages_with_progress(log: Log, chosen: Selection) -> AsyncIterator[Sequence[RecordedEvent]]:
    """The selected pages, with a progress bar over log positions and the rate in events per second."""
    end = chosen.to_position or await log.store.head()
    with _progress() as bar:
        task = bar.add_task("replaying", total=max(end - chosen.after_position, 1), events=0, rate="")
        count = 0
        async for page in log.store.read(chosen, page_size=PAGE):
            yield page
            count += len(page)
            speed = count / max(bar.tasks[0].elapsed or 0.0, 0.001)
            done = page[-1].position - chosen.after_position
            bar.update(task, completed=done, events=count, rate=f"{speed:,.0f}/s")
        bar.update(task, completed=max(end - chosen.after_position, 1))


@contextlib.contextmanager
def checkpoint(home: Path, target: str, chosen: Selection) -> Iterator[Path]:
    """The file that remembers how far this selection has reached this target; removed when all of it has."""
    told = repr((target, replace(chosen, after_position=0))).encode()
    path = home / "replays" / hashlib.blake2b(told, digest_size=12).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path
    path.unlink(missing_ok=True)


def resumed(chosen: Selection, path: Path, *, resume: bool) -> Selection:
    """The selection without what a checkpoint says has been sent."""
    if not resume or not path.exists():
        return chosen
    return replace(chosen, after_position=max(chosen.after_position, int(path.read_text())))


async def to_exchange(log: Log, chosen: Selection, exchange_name: str, *, resume: bool) -> None:
    """Ditto event envelopes to an exchange that exists, each page confirmed by the broker before it counts as sent."""
    url, home = amqp_url()
    with checkpoint(home, f"amqp:{exchange_name}", chosen) as reached:
        chosen = resumed(chosen, reached, resume=resume)
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=False)
            exchange = await channel.get_exchange(exchange_name)
            async for page in pages_with_progress(log, chosen):
                async with asyncio.TaskGroup() as confirming:
                    for event in page:
                        confirming.create_task(_publish(exchange, event))
                reached.write_text(str(page[-1].position))


async def _publish(exchange: AbstractExchange, event: RecordedEvent) -> None:
    message = aio_pika.Message(
        envelope_of(event),
        content_type=CONTENT_TYPE,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=f"{event.stream}@{event.revision}",
        timestamp=event.recorded_at,
        type=event.type,
        headers={
            "stream": event.stream,
            "revision": event.revision,
            "position": event.position,
            "x-twinlog-replay": True,
        },
    )
    await exchange.publish(message, routing_key=(routing_prefix(event.stream) or "") + event.type, mandatory=False)


async def _to_stream(log: Log, chosen: Selection, file: BinaryIO) -> None:
    async for page in pages_with_progress(log, chosen):
        file.write(event_lines(page))


def _last_position(path: Path) -> int:
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL_BYTES, 0))
        tail = file.read()
        whole = tail.rfind(b"\n") + 1
        if not whole:
            if size:
                fail(f"{path} does not look like a replayed log; nothing was changed.", Exit.USAGE)
            return 0
        file.truncate(size - len(tail) + whole)
    line = tail[:whole].rstrip(b"\n").rpartition(b"\n")[2]
    position: int = orjson.loads(line)["position"]
    return position


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[events]:,} events {task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
