"""``twinlog search``: ask the running service in RQL, as the user that it was started with."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Final

import orjson
import typer
from rich.table import Table

from protocol.json import JsonObject
from services.cli.asking import Service, open_service
from services.cli.printing import console
from services.cli.running import run

CONTENT_WIDTH: Final = 120
_PAGE: Final = 200


def search(
    rql: Annotated[str, typer.Argument(metavar="RQL", help="What has to hold, e.g. 'gt(attributes/n,5)'.")] = "",
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
    table = Table(header_style="bold", expand=False)
    table.add_column("thing", no_wrap=True, style="cyan")
    table.add_column("content", overflow="ellipsis", no_wrap=True, max_width=CONTENT_WIDTH)
    async with open_service() as service, aclosing(_things(service, parameters, sort, most)) as things:
        async for thing in things:
            if as_json:
                sys.stdout.buffer.write(orjson.dumps(thing, option=orjson.OPT_APPEND_NEWLINE))
            else:
                content = {name: value for name, value in thing.items() if name != "thingId"}
                table.add_row(str(thing.get("thingId", "")), orjson.dumps(content).decode())
    if not as_json:
        console().print(table)


async def _things(
    service: Service, parameters: dict[str, str], sort: str, most: int
) -> AsyncGenerator[JsonObject, None]:
    """Hits page by page."""
    paging = f"sort({sort})"
    while paging and most > 0:
        option = f"{paging},size({min(most, _PAGE)})"
        page = orjson.loads(await service.ask("search/things", parameters | {"option": option}))
        for thing in page["items"]:
            yield thing
        most -= _PAGE
        cursor = page.get("cursor")
        paging = f"cursor({cursor})" if cursor else ""
