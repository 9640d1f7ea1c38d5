"""``twinlog rebuild``: read models made again from the log, beside the live ones, and put in their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from projections.meter import Stage
from projections.rebuild import BehindCopyError, Rebuild, RebuildOptions, RebuildProgress, Rebuilt, rebuild_together
from services.cli.connection import open_log, settings
from services.cli.exits import Exit, fail
from services.cli.running import run
from services.core import PROJECTIONS, projections
from services.garbage import collect_garbage_rarely

ALL: Final = "all"
MEGABYTE: Final = 1_000_000


def rebuild(
    projection: Annotated[list[str], typer.Argument(help=f"One or more of {', '.join(PROJECTIONS)}; or {ALL}.")],
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
    """Build read models again from the whole log while the service runs, then swap them in.

    It can be interrupted and started again: it goes on where it stopped. No event is published and no announcement is
    made by a rebuild. Several together read the log once.

    Examples:
      twinlog rebuild twins

      twinlog rebuild all --check
    """
    chosen = PROJECTIONS if ALL in projection else tuple(dict.fromkeys(projection))
    for name in chosen:
        if name not in PROJECTIONS:
            fail(f"There is no projection {name!r}; there are {', '.join(PROJECTIONS)}.", Exit.USAGE)
    options = RebuildOptions(
        compare=compare or check, swap=not check, events_per_second=limit or math.inf, keep_when_cancelled=not check
    )
    answers = run(_rebuild(chosen, options))
    for name, rebuilt in zip(chosen, answers, strict=True):
        typer.echo(("" if len(chosen) == 1 else f"{name}: ") + _said(rebuilt))
    if options.compare and not any(rebuilt.differences for rebuilt in answers):
        typer.echo("The copy and the live one are the same, row for row.")
    for difference in (difference for rebuilt in answers for difference in rebuilt.differences):
        typer.echo(f"different: {difference}")
    if any(rebuilt.differences for rebuilt in answers):
        raise typer.Exit(Exit.FAILED)


def _said(rebuilt: Rebuilt) -> str:
    return (
        f"{rebuilt.events:,} events replayed to position {rebuilt.position:,} in {rebuilt.seconds:.1f} s "
        f"({rebuilt.events / max(rebuilt.seconds, 0.001):,.0f} events/s)."
    )


async def _rebuild(names: Sequence[str], options: RebuildOptions) -> list[Rebuilt]:
    async with open_log(connections=2 + len(names)) as log, log.store:
        makes = projections(settings())
        collect_garbage_rarely()
        with _progress() as bar:
            rebuilds = [
                Rebuild(log.pool, log.store, makes[name](), options=options, report=_reporter(bar, title))
                for name, title in zip(names, [", ".join(names), *names[1:]], strict=True)
            ]
            try:
                return await rebuild_together(rebuilds)
            except BehindCopyError as behind:
                fail(str(behind))


def _reporter(bar: Progress, title: str) -> Callable[[RebuildProgress], None]:
    """A bar for each stage, from when it begins: no stage knows beforehand how long another will take."""
    tasks: dict[Stage, TaskID] = {}

    def report(progress: RebuildProgress) -> None:
        done, total = progress.done, progress.total
        if progress.stage == "events":
            name, rate, of = "rebuilding", f"{progress.rate:,.0f} events/s", f"{done:,}/{total:,}"
        else:
            name, rate = "indexes of", f"{progress.rate / MEGABYTE:,.1f} MB/s"
            of = f"{done / MEGABYTE:,.1f}/{total / MEGABYTE:,.1f} MB"
        if progress.stage not in tasks:
            tasks[progress.stage] = bar.add_task(f"{name} {title}", rate="", of="")
        bar.update(tasks[progress.stage], completed=done, total=total, rate=rate, of=of)

    return report


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[of]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True))
