"""``twinlog aggregate``: numbers over the things that a search finds, group by group."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from services.cli.asking import open_service
from services.cli.printing import console
from services.cli.running import run
from services.searching.options import SIZE_MAX


def aggregate(
    rql: Annotated[str, typer.Argument(metavar="RQL", help="What has to hold, e.g. 'gt(attributes/n,5)'.")] = "",
    *,
    select: Annotated[str, typer.Option(help="count, and sum, avg, min, max of properties.")] = "count",
    group: Annotated[str, typer.Option(help="Up to three properties, separated by commas.")] = "",
    namespaces: Annotated[str, typer.Option(help="Only these namespaces, separated by commas.")] = "",
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=SIZE_MAX, help="Groups at most.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of a table.")] = False,
) -> None:
    """Count things and sum up what they have, the groups of most things first.

    Examples:
      twinlog aggregate 'gt(attributes/altitude,0)' --group attributes/country --select 'count,avg(attributes/altitude)'

      twinlog aggregate --group _namespace --json | jq '.values.count'
    """
    parameters = {"filter": rql, "group": group, "select": select, "namespaces": namespaces, "option": f"size({most})"}
    body = run(_asked({name: value for name, value in parameters.items() if value}))
    if as_json:
        for item in body["items"]:
            sys.stdout.buffer.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
    else:
        _print(body["items"])
    if not body["complete"]:
        typer.echo(f"There are more groups than these {most}.", err=True)


async def _asked(parameters: dict[str, str]) -> dict[str, Any]:  # Any: what the service says, printed as it is
    async with open_service() as service:
        answer = await service.ask("search/things/aggregate", parameters)
    # Numbers stay the digits that came: a sum may have more than a double or 64 bits can hold.
    body: dict[str, Any] = json.loads(answer, parse_int=_digits, parse_float=_digits)
    return body


def _digits(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)


def _print(items: list[dict[str, dict[str, Any]]]) -> None:
    table = Table(header_style="bold", expand=False)
    for name in items[0]["group"] if items else ():
        table.add_column(name, no_wrap=True, style="cyan")
    for name in items[0]["values"] if items else ():
        table.add_column(name, no_wrap=True, justify="right")
    for item in items:
        table.add_row(*(orjson.dumps(value).decode() for part in ("group", "values") for value in item[part].values()))
    console().print(table)
