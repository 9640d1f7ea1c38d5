"""``twinlog demo``: real airports, a real year of temperatures and expiring access, on a Twinlog of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.connection import settings
from services.cli.exits import Exit, fail
from services.cli.printing import console
from services.cli.running import run
from services.demo.service import DemoFailedError, running_service
from services.demo.story import Part, demonstrate


def demo(
    *,
    airports: Annotated[int | None, typer.Option(min=0, help="Create no more than this many airports.")] = None,
    readings: Annotated[int | None, typer.Option(min=0, help="Publish no more than this many temperatures.")] = None,
) -> None:
    """Show everything at work: 3 376 airports over HTTP, 17 518 temperatures over RabbitMQ, counts that agree.

    It runs a Twinlog of its own on the folder `demo` in TWINLOG_HOME. It can be interrupted at any moment and started
    again: every reading is stored once. At the end two applications are told that their access ends, in seconds instead
    of hours. Exit code 1 when the counts do not agree or an access does not end as it should.
    """
    try:
        agrees = run(_demo(Part(airports=airports, readings=readings)))
    except typer.Exit as end:
        if end.exit_code == Exit.INTERRUPTED:
            typer.echo("Interrupted. Start it again: it goes on where it stopped.", err=True)
        raise
    if not agrees:
        fail("The demonstration did not come out as it should; see above.")


async def _demo(part: Part) -> bool:
    chosen = settings()
    home = chosen.home / "demo"
    out = console()
    out.print(f"Starting a Twinlog of the demonstration's own in {_short(home)} …")
    try:
        async with running_service(home) as endpoints:
            return await demonstrate(endpoints, chosen, home, part, out)
    except DemoFailedError as error:
        fail(str(error), Exit.UNREACHED)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
