"""``twinlog search-index``: what of a namespace can be searched."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Sequence
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from projections.search.fields import ALL, DEFAULT, EVERYTHING, Fields, read_fields
from protocol.errors import DittoError
from protocol.wire.timestamps import iso
from services.cli.connection import Log, open_log
from services.cli.exits import EPILOG, Exit, fail
from services.cli.printing import console
from services.cli.running import run
from services.core import now
from services.searching.indexes import SearchIndex, SearchIndexes, check_namespace, spelled_out

POLL_SECONDS: Final = 0.2

search_index = typer.Typer(
    no_args_is_help=True,
    help="""Say what of a namespace can be searched.

    Everything is, until a namespace is restricted to some fields: fewer rows per thing, and faster writes. A search may
    filter and sort by fields that are in the index of every namespace it covers (and that holds something the caller
    may see); otherwise it is refused and told which namespaces lack which fields. A search without filter always works.

    Fields are pointers as in filters and stand for everything below them: attributes, attributes/room, features,
    features/lamp/properties/on, features/*/properties/temperature, definition, policyId, _created, _modified,
    _revision, _namespace, _metadata. The thingId is always there.
    """,
)

Namespace = Annotated[str, typer.Argument(metavar="NAMESPACE", help="Such as farm.one.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of a table.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the progress until every thing has its new index.")]


@search_index.command("show", epilog=EPILOG)
def show(
    namespace: Annotated[str | None, typer.Argument(metavar="NAMESPACE", help="Only this one.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the indexes that were ever set: their fields, how far they are, who set them when.

    Examples:
      twinlog search-index show

      twinlog search-index show farm.one --json | jq .state
    """
    found = run(_read(None if namespace is None else _checked(namespace)))
    if as_json:
        for each in found:
            typer.echo(orjson.dumps(each.to_json()).decode())
    else:
        _print(found)


@search_index.command("set", epilog=EPILOG)
def set_fields(
    namespace: Namespace,
    fields: Annotated[list[str], typer.Argument(metavar="FIELD...", help=f"Pointers, or {DEFAULT}, or {ALL}.")],
    *,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Have these fields indexed, and no others.

    The things get their index in the background of the running service, while it serves; what the old index and the
    new one have in common can be searched all the time. A stop or crash loses nothing: it goes on where it was.

    "default" stands for thingId, policyId, definition, attributes and _created.

    Examples:
      twinlog search-index set farm.one default

      twinlog search-index set farm.one attributes 'features/*/properties/temperature' _modified --wait
    """
    (word, *others) = fields
    try:
        wanted = read_fields(word if not others and word in {ALL, DEFAULT} else [*fields])
    except DittoError as error:
        fail(f"{error.message} {error.description or ''}", Exit.USAGE)
    _change(_checked(namespace), wanted, wait=wait, as_json=as_json)


@search_index.command("reset", epilog=EPILOG)
def reset(namespace: Namespace, *, wait: Wait = False, as_json: Json = False) -> None:
    """Have everything indexed again.

    Example:
      twinlog search-index reset farm.one --wait
    """
    _change(_checked(namespace), EVERYTHING, wait=wait, as_json=as_json)


def _checked(namespace: str) -> str:
    try:
        return check_namespace(namespace)
    except DittoError as error:
        fail(error.message, Exit.USAGE)


def _change(namespace: str, fields: Fields, *, wait: bool, as_json: bool) -> None:
    found = run(_put(namespace, fields, wait=wait))
    if as_json:
        typer.echo(orjson.dumps(found.to_json()).decode())
    else:
        _print([found])


async def _read(namespace: str | None) -> Sequence[SearchIndex]:
    async with open_log() as log:
        indexes = _indexes(log)
        return await indexes.listed() if namespace is None else [await indexes.read(namespace)]


async def _put(namespace: str, fields: Fields, *, wait: bool) -> SearchIndex:
    async with open_log() as log:
        indexes = _indexes(log)
        await indexes.put(namespace, fields, by=f"twinlog:{getpass.getuser()}")
        return await _finished(indexes, namespace) if wait else await indexes.read(namespace)


async def _finished(indexes: SearchIndexes, namespace: str) -> SearchIndex:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("things"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"indexing {namespace}", total=None)
        while not (found := await indexes.read(namespace)).complete:
            bar.update(task, completed=found.done, total=found.total)
            await asyncio.sleep(POLL_SECONDS)
        bar.update(task, completed=found.total, total=found.total)
    return found


def _indexes(log: Log) -> SearchIndexes:
    return SearchIndexes(store=log.store, pool=log.pool, clock=now)


def _print(found: Sequence[SearchIndex]) -> None:
    if not found:
        typer.echo("Everything is indexed in every namespace.")
        return
    table = Table(header_style="bold")
    for column in ("namespace", "fields", "state", "since (UTC)", "by"):
        table.add_column(column, overflow="fold")
    for each in found:
        state = "complete" if each.complete else f"indexing, {each.done:,} of {each.total:,} things"
        since = "" if each.changed_at is None else iso(each.changed_at)
        table.add_row(each.namespace, "\n".join(spelled_out(each.fields)), state, since, each.changed_by or "")
    console().print(table)
