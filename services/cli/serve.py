"""``twinlog serve`` and ``twinlog migrate``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eventstore.migrations import migrate as migrate_database
from services.application import ROLES, StartFailed, running
from services.cli.connection import database_url, settings
from services.cli.exits import Exit, fail
from services.cli.running import run
from services.cli.settings import setting
from services.garbage import collect_garbage_rarely
from services.greeting import greeting
from services.logging import configure_logging
from services.settings import Settings, SettingsInvalid, load_settings

Role = StrEnum("Role", {role: role for role in ROLES})  # type: ignore[misc]  # the roles are known at import


def serve(
    *,
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", help="What this process does; repeatable. Default: all.", show_default=False),
    ] = None,
    port: Annotated[int | None, setting("http_port", largest=65_535)] = None,
    host: Annotated[str | None, setting("http_host")] = None,
    home: Annotated[Path | None, setting("home")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C.

    Without TWINLOG_DATABASE_URL it brings its own PostgreSQL, without TWINLOG_AMQP_URL its own RabbitMQ where that is
    installed. The first start makes credentials, prints them once and keeps them in the data folder. Everything else is
    set by the environment: see `twinlog settings`.

    Examples:
      twinlog serve

      twinlog serve --role http --port 8081
    """
    given = {"http_port": port, "http_host": host, "home": home}
    chosen = _settings({name: value for name, value in given.items() if value is not None})
    configure_logging(level=chosen.log_level, style=chosen.log_format)
    run(_serve(chosen, frozenset(map(str, role or ROLES))))


def migrate() -> None:
    """Bring the database schema up to date; safe to repeat, and safe while other processes start.

    Example:
      TWINLOG_DATABASE_URL=postgresql://… twinlog migrate
    """
    run(_migrate())


def _settings(given: dict[str, object]) -> Settings:
    try:
        return load_settings(**given)
    except SettingsInvalid as invalid:
        fail(str(invalid), Exit.USAGE)


async def _serve(chosen: Settings, roles: frozenset[str]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with running(chosen, roles) as application:
            typer.echo(greeting(application))
            collect_garbage_rarely()
            await application.until(stopping)
    except StartFailed as failed:
        fail(str(failed), Exit.UNREACHED)


async def _migrate() -> None:
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_url(settings()))
        await migrate_database(url)
    typer.echo("The schema is up to date.")
