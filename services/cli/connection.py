"""How a command finds the database: the environment, a service running on the data folder, or the folder itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from eventstore.pool import create_pool
from eventstore.postgres import PostgresEventStore
from services.cli.exits import Exit, fail
from services.embedded.postgres import EmbeddedPostgres
from services.endpoints import Endpoints, read_endpoints
from services.settings import Settings, SettingsInvalid, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An open connection to the log, for one command."""

    pool: asyncpg.Pool
    store: PostgresEventStore
    url: str


def settings() -> Settings:
    """The settings, or an end with every problem listed."""
    try:
        return load_settings()
    except SettingsInvalid as invalid:
        fail(str(invalid), Exit.USAGE)


def endpoints(chosen: Settings) -> Endpoints | None:
    """The service that runs on the data folder, if one does."""
    return read_endpoints(chosen.home)


def http_url() -> str:
    """The HTTP server of the running service, with the user that it made up; ends with exit code 3 without one."""
    running = endpoints(settings())
    if running is None or running.http_url is None:
        fail("No service with HTTP runs on this data folder. Start one with `twinlog serve`.", Exit.UNREACHED)
    return running.http_url


def amqp_url() -> tuple[str, Path]:
    """The broker, configured or of the running service, and the data folder; ends with exit code 3 without one."""
    chosen = settings()
    running = endpoints(chosen)
    if chosen.amqp_url is not None and not chosen.amqp_is_off:
        return chosen.amqp_url.get_secret_value(), chosen.home
    if running is None or running.amqp_url is None:
        fail(
            "There is no broker to send to. Start `twinlog serve` with RabbitMQ, or set TWINLOG_AMQP_URL.",
            Exit.UNREACHED,
        )
    return running.amqp_url, chosen.home


@contextlib.asynccontextmanager
async def open_log(*, connections: int = 2) -> AsyncIterator[Log]:
    """The log, wherever it is; for a service that does not run, its embedded database is started for the time.

    Ends the command with exit code 3 when there is no database to be found.
    """
    chosen = settings()
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(database_url(chosen))
        pool = await stack.enter_async_context(await create_pool(url, size=connections))
        yield Log(pool=pool, store=PostgresEventStore(pool), url=url)


@contextlib.asynccontextmanager
async def database_url(chosen: Settings) -> AsyncIterator[str]:
    """The configured database, that of the running service, or the embedded one started for as long as it is needed."""
    running = endpoints(chosen)
    if chosen.database_url is not None:
        yield chosen.database_url.get_secret_value()
    elif running is not None:
        yield running.database_url
    elif (chosen.home / "postgres").is_dir():
        async with EmbeddedPostgres(chosen.home) as server:
            yield server.url
    else:
        fail(
            f"There is no Twinlog in {chosen.home}. Start one with `make run`, "
            "or set TWINLOG_HOME or TWINLOG_DATABASE_URL.",
            Exit.UNREACHED,
        )
