"""``make bench``: every hot path beside its floor in one run, as a table with ratios and yardsticks.

Servers are the embedded ones, private and durable (fsync on), on the same machine as the load generators.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import orjson
import typer
import uvloop
from rich.console import Console

from eventstore.migrations import migrate
from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.rabbitmq import EmbeddedRabbitMQ
from tests.benchmarks import announcer, assets, enforcement, fleet, paths, rebuilding, scale, search
from tests.benchmarks.measures import Measure, report
from tests.benchmarks.processes import twinlog

PATHS = ("amqp", "http", "append", "replay", "rebuild", "scale", "search", "enforcement", "announcer")
CONSOLE = Console(stderr=True)
WIDTH = 200


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Only these of {', '.join(PATHS)}; repeatable.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each path; the median counts.")] = 5,
    things: Annotated[
        list[int] | None, typer.Option(help="Sizes of the fleets that are searched; repeatable. Default: 1000, 100000.")
    ] = None,
    policies: Annotated[
        list[assets.Policies] | None, typer.Option(help="Which fleets are searched; repeatable. Default: both.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write every figure to this file.")] = None,
) -> None:
    """Measure Twinlog beside the bare libraries and print the ratios."""
    chosen = tuple(only or PATHS)
    keep = partial(_write, json)
    measures, fleets = uvloop.run(
        _measure(chosen, rounds, things or search.SIZES, policies or tuple(assets.Policies), keep)
    )
    Console(width=WIDTH if not sys.stdout.isatty() else None).print(report(measures))
    keep([*measures, *fleets])


def _write(file: Path | None, measured: Sequence[Measure | search.Fleet]) -> None:
    """Every figure as JSON; of fleets, which may take long, also what there is so far."""
    if file is not None:
        file.write_bytes(orjson.dumps([each.to_json() for each in measured], option=orjson.OPT_INDENT_2))


async def _measure(
    chosen: tuple[str, ...],
    rounds: int,
    sizes: Sequence[int],
    kinds: Sequence[assets.Policies],
    keep: Callable[[Sequence[Measure | search.Fleet]], None],
) -> tuple[list[Measure], list[search.Fleet]]:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # else what was started would stay
    measures: list[Measure] = []
    fleets: list[search.Fleet] = []
    if {"append", "replay"} & set(chosen):
        async with _servers() as (home, server, amqp_url):
            measures += await _log(server.url, chosen, rounds)
    if {"amqp", "http"} & set(chosen):
        async with _servers() as (home, server, amqp_url):
            measures += await _hot_paths(home, server.url, amqp_url, chosen, rounds)
    if "rebuild" in chosen:
        with _home() as home:
            async with EmbeddedPostgres(home) as server:
                measures += await rebuilding.measure(server, rounds, _tell)
    if "scale" in chosen:
        async with _servers() as (home, server, amqp_url):
            measures += await scale.measure(home, server.url, amqp_url, _tell)
    if "search" in chosen:
        async with _servers() as (home, server, _):
            found, fleets = await search.measure(home, server, sizes, kinds, rounds, _tell, keep)
            measures += found
    if "enforcement" in chosen:
        async with _servers() as (home, server, amqp_url):
            measures += await enforcement.measure(home, server, amqp_url, rounds, _tell)
    for per_policy in (1, announcer.CROWD) if "announcer" in chosen else ():
        async with _servers() as (home, server, amqp_url):
            measures += await announcer.measure(home, server.url, amqp_url, _tell, per_policy=per_policy)
    return measures, fleets


async def _hot_paths(
    home: Path, database_url: str, amqp_url: str, chosen: tuple[str, ...], rounds: int
) -> list[Measure]:
    measures: list[Measure] = []
    async with twinlog(home / "service", database_url, amqp_url) as service:
        bench = paths.Bench(
            twinlog=service,
            database_url=database_url,
            amqp_url=amqp_url,
            amqp_user=urlsplit(amqp_url).username or "guest",
            rounds=rounds,
            tell=_tell,
        )
        twin = await fleet.create_things(service.port, f"amqp:{bench.amqp_user}")
        if "amqp" in chosen:
            measures += await paths.amqp(bench)
        if "http" in chosen:
            measures += await paths.http(bench, twin)
    return measures


async def _log(database_url: str, chosen: tuple[str, ...], rounds: int) -> list[Measure]:
    """The event store alone, with no service following it; what was appended is what is replayed."""
    await migrate(database_url)
    async with await create_pool(database_url, size=2) as pool:
        store = PostgresEventStore(pool)
        appended = await paths.append(store, pool, rounds, _tell)
        replayed = await paths.replay(store, pool, rounds, _tell) if "replay" in chosen else []
    return (appended if "append" in chosen else []) + replayed


@contextlib.asynccontextmanager
async def _servers() -> AsyncIterator[tuple[Path, EmbeddedPostgres, str]]:
    """A PostgreSQL and a RabbitMQ of the benchmark's own, gone afterwards."""
    with _home() as home:
        async with EmbeddedPostgres(home) as postgres, EmbeddedRabbitMQ(home, programs=Path(".twinlog")) as rabbitmq:
            yield home, postgres, rabbitmq.url


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """A folder for servers, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="twinlog-bench-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # root's servers run as another user, who must get through, or their data stays elsewhere
        yield home


def _tell(what: str) -> None:
    CONSOLE.print(f"[dim]{what} …")


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        typer.run(main)
