"""``twinlog rebuild``: a read model made again from the log, beside the live one, and put in its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from projections.rebuild import BehindCopyError, Rebuild, RebuildOptions, RebuildProgress, Rebuilt
from services.cli.connection import open_log, settings
from services.cli.exits import Exit, fail
from services.cli.running import run
from services.core import PROJECTIONS, projections


def rebuild(
    projection: Annotated[str, typer.Argument(help=f"One of {', '.join(PROJECTIONS)}.")],
    *,
    compare: Annotated[
        bool, typer.Option("--compare", help="Hold the copy against the live one, row for row, before the swap.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare: the live one stays, exit code 1 if they differ.")
    ] = False,
    limit: Annotated[
        float | None, typer.Option("--limit", min=1, metavar="EVENTS/S", help="Replay no faster than this.")
    ] = None,
) -> None:
    """Build a read model again from the whole log while the service runs, then swap it in.

    It can be interrupted and started again: it goes on where it stopped. No event is published and no announcement is
    made by a rebuild.

    Examples:
      twinlog rebuild twins

      twinlog rebuild twins --check
    """
    if projection not in PROJECTIONS:
        fail(f"There is no projection {projection!r}; there are {', '.join(PROJECTIONS)}.", Exit.USAGE)
    options = RebuildOptions(
        compare=compare or check, swap=not check, events_per_second=limit or math.inf, keep_when_cancelled=not check
    )
    rebuilt = run(_rebuild(projection, options))
    typer.echo(
        f"{rebuilt.events:,} events replayed to position {rebuilt.position:,} in {rebuilt.seconds:.1f} s "
        f"({rebuilt.events / max(rebuilt.seconds, 0.001):,.0f} events/s)."
    )
    if options.compare and not rebuilt.differences:
        typer.echo("The copy and the live one are the same, row for row.")
    for difference in rebuilt.differences:
        typer.echo(f"different: {difference}")
    if rebuilt.differences:
        raise typer.Exit(Exit.FAILED)


async def _rebuild(name: str, options: RebuildOptions) -> Rebuilt:
    async with open_log() as log, log.store:
        with _progress() as bar:
            work = Rebuild(
                log.pool, log.store, projections(settings())[name](), options=options, report=_reporter(bar, name)
            )
            try:
                return await work.run()
            except BehindCopyError as behind:
                fail(str(behind))


def _reporter(bar: Progress, name: str) -> Callable[[RebuildProgress], None]:
    task = bar.add_task(f"rebuilding {name}", total=None, rate="")

    def report(progress: RebuildProgress) -> None:
        bar.update(task, completed=progress.done, total=progress.total, rate=f"{progress.rate:,.0f} events/s")

    return report


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
