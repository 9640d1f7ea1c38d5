"""``twinlog events``: list, follow and replay the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eventstore.store import Selection
from services.cli.connection import open_log
from services.cli.exits import EPILOG, Exit, fail
from services.cli.following import follow
from services.cli.listing import print_events, selected_events
from services.cli.replay import to_file, to_stdout
from services.cli.republish import to_exchange
from services.cli.running import run
from services.cli.selection import After, Entity, Namespaces, Since, Types, Until, select

events = typer.Typer(no_args_is_help=True, help="Read the log: every change of every thing and policy, in one order.")

Json = Annotated[bool, typer.Option("--json", help="Lines of JSON instead of a table.")]


@events.command("list", epilog=EPILOG)
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
    run(_list(chosen, last, limit, as_json=as_json))


@events.command("tail", epilog=EPILOG)
def tail_events(
    *,
    namespace: Namespaces = None,
    entity: Entity = None,
    event_type: Types = None,
    after: Annotated[int | None, typer.Option("--after", min=0, help="Begin after this position, not now.")] = None,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Follow the log live until interrupted: first what was missed (--after, --since), then what happens.

    Examples:
      twinlog events tail --namespace farm.one --json | jq .value

      twinlog events tail --since 10m
    """
    chosen = select(after=after or 0, since=since, namespaces=namespace, stream=entity, types=event_type)
    run(_tail(chosen, from_now=after is None and since is None, as_json=as_json))


@events.command("replay", epilog=EPILOG)
def replay_events(
    target: Annotated[str, typer.Argument(help="- (standard output), a file, or amqp:EXCHANGE.")] = "-",
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
    repeat; they are confirmed by the broker before they count. A replay that was interrupted or killed goes on without
    a gap when the same command is given again with --resume; a torn last line of a file is cut off.

    Examples:
      twinlog events replay backup.ndjson

      twinlog events replay --namespace farm.one --since 7d amqp:farm.rebuild --resume
    """
    chosen = select(after=after, since=since, until=until, namespaces=namespace, stream=entity, types=event_type)
    said = (after, since and since.text, until and until.text, chosen.stream, chosen.prefixes, chosen.types)
    run(_replay(chosen, target, said, resume=resume))


async def _list(chosen: Selection, last: int | None, limit: int | None, *, as_json: bool) -> None:
    async with open_log() as log:
        await print_events(selected_events(log, chosen, last, limit), as_json=as_json)


async def _tail(chosen: Selection, *, from_now: bool, as_json: bool) -> None:
    async with open_log() as log:
        await follow(log, chosen, from_now=from_now, as_json=as_json)


async def _replay(chosen: Selection, target: str, said: object, *, resume: bool) -> None:
    exchange = target.removeprefix("amqp:")
    if not exchange:
        fail("Name the exchange, as in amqp:farm.rebuild.", Exit.USAGE)
    if target == "-" and resume:
        fail("Standard output cannot be resumed; replay to a file or an exchange.", Exit.USAGE)
    async with open_log() as log:
        if target.startswith("amqp:"):
            await to_exchange(log, chosen, exchange, said=said, resume=resume)
        elif target == "-":
            await to_stdout(log, chosen)
        else:
            await to_file(log, chosen, Path(target), resume=resume)
