"""``twinlog events``: list, follow and replay the log."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from eventstore.events import RecordedEvent
from eventstore.store import Selection
from services.cli import replay as replays
from services.cli.connection import Log, fail, open_log
from services.cli.printing import console, event_lines, event_row, event_table
from services.cli.running import run
from services.cli.selection import After, Entity, Namespaces, Since, Types, Until, select

events = typer.Typer(no_args_is_help=True, help="Read the log: every change of every thing and policy, in one order.")

Json = Annotated[bool, typer.Option("--json", help="Lines of JSON instead of a table.")]


@events.command("list")
def list_events(  # noqa: PLR0913 - the options are the interface
    *,
    after: After = 0,
    since: Since = None,
    until: Until = None,
    namespace: Namespaces = None,
    entity: Entity = None,
    event_type: Types = None,
    last: Annotated[int | None, typer.Option("--last", min=1, help="Only the last N of the selected events.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Stop after N events.")] = None,
    as_json: Json = False,
) -> None:
    """Show recorded events, oldest first.

    Examples:
      twinlog events list --last 20

      twinlog events list --entity farm.one:pump-7 --since 2h

      twinlog events list --namespace farm.one --type deleted --json
    """
    chosen = select(after=after, since=since, until=until, namespaces=namespace, stream=entity, types=event_type)
    run(_list(chosen, last=last, limit=limit, as_json=as_json))


@events.command("tail")
def tail_events(
    *,
    namespace: Namespaces = None,
    entity: Entity = None,
    event_type: Types = None,
    after: Annotated[int | None, typer.Option("--after", min=0, help="Begin after this position, not now.")] = None,
    as_json: Json = False,
) -> None:
    """Follow the log live until interrupted: first what was missed (with --after), then what happens.

    Example:
      twinlog events tail --namespace farm.one --json | jq .value
    """
    run(_tail(after, select(namespaces=namespace, stream=entity, types=event_type), as_json=as_json))


@events.command("replay")
def replay_events(
    target: Annotated[
        str,
        typer.Argument(help="- (standard output), a file, or amqp:EXCHANGE."),
    ] = "-",
    *,
    after: After = 0,
    since: Since = None,
    until: Until = None,
    namespace: Namespaces = None,
    entity: Entity = None,
    event_type: Types = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where an interrupted replay of the same selection stopped."),
    ] = False,
) -> None:
    """Send the selected events again, in order: as lines of JSON, or as Ditto envelopes to an AMQP exchange.

    Replayed AMQP messages carry the header x-twinlog-replay, and the stream and revision by which a consumer knows a
    repeat; they are confirmed by the broker before they count.

    Examples:
      twinlog events replay backup.ndjson

      twinlog events replay --namespace farm.one --since 7d amqp:farm.rebuild --resume
    """
    chosen = select(after=after, since=since, until=until, namespaces=namespace, stream=entity, types=event_type)
    run(_replay(chosen, target, resume=resume))


async def _list(chosen: Selection, *, last: int | None, limit: int | None, as_json: bool) -> None:
    async with open_log() as log:
        pages = _last(log, chosen, last) if last else log.store.read(chosen)
        await _print(_first(pages, limit), as_json=as_json)


async def _last(log: Log, chosen: Selection, count: int) -> AsyncIterator[Sequence[RecordedEvent]]:
    found: list[RecordedEvent] = []
    async for page in log.store.read(chosen, backwards=True, page_size=min(count, 1_000)):
        found.extend(page)
        if len(found) >= count:
            break
    yield list(reversed(found[:count]))


async def _first(
    pages: AsyncIterator[Sequence[RecordedEvent]], limit: int | None
) -> AsyncIterator[Sequence[RecordedEvent]]:
    room = limit if limit is not None else sys.maxsize
    async for page in pages:
        yield page[:room]
        room -= len(page)
        if room <= 0:
            break


async def _print(pages: AsyncIterator[Sequence[RecordedEvent]], *, as_json: bool) -> None:
    out = console()
    async for page in pages:
        if as_json:
            _write(event_lines(page))
            continue
        table = event_table()
        for event in page:
            table.add_row(*event_row(event))
        out.print(table)


async def _tail(after: int | None, chosen: Selection, *, as_json: bool) -> None:
    async with open_log() as log:
        start = await log.store.head() if after is None else after
        following = log.store.subscribe(replace(chosen, after_position=start))
        if as_json:
            async for batch in following:
                _write(event_lines(batch))
        with Live(event_table("following the log, Ctrl-C ends"), refresh_per_second=8) as live:
            shown: list[RecordedEvent] = []
            async for batch in following:
                shown = [*shown, *batch][-30:]
                table = event_table("following the log, Ctrl-C ends")
                for event in shown:
                    table.add_row(*event_row(event))
                live.update(table)


async def _replay(chosen: Selection, target: str, *, resume: bool) -> None:
    async with open_log() as log:
        if target.startswith("amqp:"):
            await replays.to_exchange(log, chosen, target.removeprefix("amqp:"), resume=resume)
        elif target == "-":
            if resume:
                fail("Standard output cannot be resumed; replay to a file or an exchange.")
            await replays.to_stdout(log, chosen)
        else:
            await replays.to_file(log, chosen, Path(target), resume=resume)


def _write(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()
