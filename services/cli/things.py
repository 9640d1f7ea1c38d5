"""``twinlog thing``: one twin as it is, as it was, and how it came to be."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from eventstore.events import RecordedEvent, StreamName
from projections.events import EntityState, follow
from protocol.errors import DittoError
from protocol.identifiers import ThingId
from protocol.json import JsonObject
from protocol.wire.timestamps import iso
from services.cli.connection import Log, open_log
from services.cli.exits import EPILOG, Exit, fail
from services.cli.printing import console, event_lines, event_row, event_table, write_lines
from services.cli.running import run
from services.cli.selection import Moment, moment

things = typer.Typer(no_args_is_help=True, help="Show one twin and its history, straight from the log.")

Id = Annotated[str, typer.Argument(metavar="THING", help="The id of the thing, namespace:name.")]


@things.command("show", epilog=EPILOG)
def show(
    thing: Id,
    *,
    revision: Annotated[int | None, typer.Option("--revision", "-r", min=1, help="As it was after revision N.")] = None,
    at: Annotated[
        Moment | None,
        typer.Option("--at", parser=moment, metavar="TIME", help="As it was then (ISO 8601, or age: 2h)."),
    ] = None,
) -> None:
    """Print the twin as JSON: as it is now, after a revision, or at a time.

    Examples:
      twinlog thing show farm.one:pump-7

      twinlog thing show farm.one:pump-7 --at 2h
    """
    if revision is not None and at is not None:
        raise typer.BadParameter("say either a revision or a time", param_hint="--revision, --at")
    run(_show(thing, revision, at))


@things.command("history", epilog=EPILOG)
def history(
    thing: Id,
    *,
    after: Annotated[int, typer.Option("--after-revision", min=0, help="Only later revisions.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of a table.")] = False,
) -> None:
    """List every change of the twin: what, when, by whom.

    Example:
      twinlog thing history farm.one:pump-7 --json | jq -r .headers
    """
    run(_history(thing, after, as_json=as_json))


async def _show(thing: str, revision: int | None, at: Moment | None) -> None:
    async with open_log() as log:
        events = await _events_of(log, thing, to_revision=revision)
    if revision is not None and events[-1].revision < revision:
        fail(f"{thing} has {events[-1].revision} revisions, so there is no {revision}.", Exit.NOT_FOUND)
    state: EntityState | None = None
    for event in events:
        if at is None or event.recorded_at <= at.time:
            state = follow(state, event)
    if state is None:
        fail(f"{thing} did not exist then; its first event was recorded {iso(events[0].recorded_at)}.", Exit.NOT_FOUND)
    if state.deleted:
        fail(f"{thing} was deleted with revision {state.revision} at {iso(state.modified)}.", Exit.NOT_FOUND)
    out = console()
    if out.is_terminal:
        out.print_json(orjson.dumps(_document(state)).decode())
    else:
        write_lines(orjson.dumps(_document(state), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


async def _history(thing: str, after: int, *, as_json: bool) -> None:
    async with open_log() as log:
        events = await _events_of(log, thing)
    later = [event for event in events if event.revision > after]
    if as_json:
        write_lines(event_lines(later))
        return
    table = event_table(f"history of {thing}")
    for event in later:
        table.add_row(*event_row(event))
    console().print(table)


async def _events_of(log: Log, thing: str, *, to_revision: int | None = None) -> list[RecordedEvent]:
    try:
        stream = StreamName(f"thing:{ThingId.parse(thing)}")
    except DittoError as error:
        fail(f"{error.message} {error.description or ''}", Exit.USAGE)
    events = await log.store.read_stream(stream, to_revision=to_revision)
    if not events:
        fail(f"The log has no event of {thing}.", Exit.NOT_FOUND)
    return events


def _document(state: EntityState) -> JsonObject:
    return {
        **state.document,
        "_revision": state.revision,
        "_created": iso(state.created),
        "_modified": iso(state.modified),
    }
