"""``twinlog status``: which servers answer, where the log ends, how far behind every read model is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated

import aio_pika
import orjson
import typer
from rich.table import Table
from rich.text import Text

from eventstore.errors import StoreError
from projections.progress import Standing, standings
from services.cli.connection import endpoints, open_log, settings
from services.cli.exits import Exit
from services.cli.printing import console
from services.cli.running import MIGRATE_FIRST, NOT_MIGRATED, run
from services.core import now
from services.embedded.processes import ServerFailed
from services.searching.indexes import SearchIndex, SearchIndexes

CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Whether a server answered, and what it said."""

    server: str
    reached: bool
    says: str


def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False
) -> None:
    """Show the servers reached, the head of the log, and each read model's checkpoint and lag.

    Exit code 3 when a server that should be there does not answer.

    Example:
      twinlog status --json | jq '.consumers[] | select(.lag > 1000)'
    """
    run(_status(as_json=as_json))


async def _status(*, as_json: bool) -> None:
    head, consumers, indexing, database = await _log()
    servers = [database, await _broker()]
    if as_json:
        shown = {
            "servers": [{"server": item.server, "reached": item.reached, "says": item.says} for item in servers],
            "head": head,
            "consumers": [
                {
                    "name": item.name,
                    "version": item.version,
                    "position": item.position,
                    "lag": item.behind_events,
                    "lagSeconds": item.behind_seconds,
                    "owner": item.owner,
                }
                for item in consumers
            ],
            "indexing": [index.to_json() for index in indexing],
        }
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    else:
        _print(servers, head, consumers, indexing)
    if not all(item.reached for item in servers):
        raise typer.Exit(Exit.UNREACHED)


async def _log() -> tuple[int, list[Standing], list[SearchIndex], Reached]:
    try:
        async with open_log() as log:
            version = await log.pool.fetchval("show server_version")
            indexes = await SearchIndexes(store=log.store, pool=log.pool, clock=now).listed()
            return (
                await log.store.head(),
                await standings(log.pool),
                [index for index in indexes if not index.complete],
                Reached(server="PostgreSQL", reached=True, says=version),
            )
    except NOT_MIGRATED:
        return 0, [], [], Reached(server="PostgreSQL", reached=False, says=MIGRATE_FIRST)
    except (StoreError, ServerFailed) as trouble:
        return 0, [], [], Reached(server="PostgreSQL", reached=False, says=str(trouble))


async def _broker() -> Reached:
    chosen = settings()
    running = endpoints(chosen)
    url = chosen.amqp_url.get_secret_value() if chosen.amqp_url else running.amqp_url if running else None
    if url is None or chosen.amqp_is_off:
        return Reached(server="RabbitMQ", reached=True, says="off")
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await aio_pika.connect(url)
            await connection.close()
    except (OSError, TimeoutError, aio_pika.exceptions.AMQPError) as trouble:
        return Reached(server="RabbitMQ", reached=False, says=str(trouble) or type(trouble).__name__)
    return Reached(server="RabbitMQ", reached=True, says="answers")


def _print(servers: list[Reached], head: int, consumers: list[Standing], indexing: list[SearchIndex]) -> None:
    out = console()
    reached = Table("server", "reached", "says", title="servers")
    for server in servers:
        reached.add_row(server.server, Text("yes", "green") if server.reached else Text("no", "red"), server.says)
    out.print(reached)
    lags = Table("consumer", "version", "position", "lag", "owner", title=f"the log ends at position {head:,}")
    for item in consumers:
        lag = f"{item.behind_events:,} ({item.behind_seconds:.1f} s)"
        lags.add_row(item.name, str(item.version), f"{item.position:,}", lag, item.owner or "nobody")
    out.print(lags)
    for index in indexing:
        out.print(f"the search index of {index.namespace} is being made: {index.done:,} of {index.total:,} things")
