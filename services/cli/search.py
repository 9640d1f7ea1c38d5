"""``twinlog search``: ask the running service in RQL, as the user that it was started with."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

import aiohttp
import orjson
import typer
from rich.table import Table
from yarl import URL

from protocol.json import JsonObject
from services.cli.connection import endpoints, settings
from services.cli.exits import Exit, fail
from services.cli.printing import console
from services.cli.running import run

SECONDS: Final = 60.0
CONTENT_WIDTH: Final = 120
_PAGE: Final = 200


def search(
    rql: Annotated[str, typer.Argument(metavar="[RQL]", help="What has to hold, e.g. 'gt(attributes/n,5)'.")] = "",
    *,
    namespaces: Annotated[str, typer.Option(help="Only these namespaces, separated by commas.")] = "",
    sort: Annotated[str, typer.Option(help="Properties with + or -, separated by commas.")] = "+thingId",
    fields: Annotated[str, typer.Option(help="What to show of each thing, separated by commas.")] = "",
    most: Annotated[int, typer.Option("--most", "-n", min=1, help="Stop after so many things.")] = 25,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of a table.")] = False,
) -> None:
    """Find things by RQL in the running service.

    Without --namespaces those of the caller's solution are searched (TWINLOG_SOLUTIONS), or all of them. What can be
    asked for in a namespace, `twinlog search-index` shows.

    Examples:
      twinlog search 'eq(attributes/country,"CH")' --sort=-attributes/altitude --fields thingId,attributes/name

      twinlog search 'gt(_modified,time:now-1h)' --json -n 1000 | jq -r .thingId
    """
    # A table names the thing of every row, whatever else is to be shown of it.
    shown = f"thingId,{fields}" if fields and not as_json else fields
    parameters = {"filter": rql, "namespaces": namespaces, "fields": shown}
    run(_search({name: value for name, value in parameters.items() if value}, sort, most, as_json=as_json))


async def _search(parameters: dict[str, str], sort: str, most: int, *, as_json: bool) -> None:
    service = endpoints(settings())
    if service is None or service.http_url is None:
        fail("No service with HTTP runs on this data folder. Start one with `twinlog serve`.", Exit.UNREACHED)
    table = Table(header_style="bold", expand=False)
    table.add_column("thing", no_wrap=True, style="cyan")
    table.add_column("content", overflow="ellipsis", no_wrap=True, max_width=CONTENT_WIDTH)
    async with aclosing(_things(service.http_url, parameters, sort, most)) as things:
        async for thing in things:
            if as_json:
                sys.stdout.buffer.write(orjson.dumps(thing, option=orjson.OPT_APPEND_NEWLINE))
            else:
                content = {name: value for name, value in thing.items() if name != "thingId"}
                table.add_row(str(thing.get("thingId", "")), orjson.dumps(content).decode())
    if not as_json:
        console().print(table)


async def _things(url: str, parameters: dict[str, str], sort: str, most: int) -> AsyncGenerator[JsonObject, None]:
    """Hits page by page; ends the command with the service's own words when it refuses."""
    paging = f"sort({sort})"
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while paging and most > 0:
            option = f"{paging},size({min(most, _PAGE)})"
            items, cursor = await _page(session, url, parameters | {"option": option})
            for thing in items:
                yield thing
            most -= _PAGE
            paging = f"cursor({cursor})" if cursor else ""


async def _page(
    session: aiohttp.ClientSession, url: str, parameters: dict[str, str]
) -> tuple[list[JsonObject], str | None]:
    try:
        async with session.get(URL(url) / "api/2/search/things", params=parameters) as response:
            body = orjson.loads(await response.read())
    except (aiohttp.ClientError, TimeoutError) as error:
        fail(f"The service does not answer: {error!r}", Exit.UNREACHED)
    if response.status != 200:
        fail(f"{body.get('message')} {body.get('description') or ''}".strip(), Exit.USAGE)
    return body["items"], body.get("cursor")
