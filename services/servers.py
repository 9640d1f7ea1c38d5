"""The database and the broker of this process: those it is pointed at, those of a service beside it, or its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from services.embedded.installations import find_installation
from services.embedded.postgres import EmbeddedPostgres
from services.embedded.processes import ServerFailed
from services.embedded.rabbitmq import MISSING, EmbeddedRabbitMQ
from services.endpoints import Endpoints, read_endpoints
from services.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where to connect. ``amqp_off`` says why there is no broker, if there is none."""

    database_url: str
    amqp_url: str | None
    amqp_off: str | None


async def open_servers(stack: AsyncExitStack, settings: Settings) -> Servers:
    """Start what has to be started, both at once; the stack stops it. Raises ``ServerFailed``."""
    beside = read_endpoints(settings.home)
    try:
        async with asyncio.TaskGroup() as group:
            database = group.create_task(_database(stack, settings, beside))
            broker = group.create_task(_broker(stack, settings, beside))
    except* ServerFailed as failures:
        raise failures.exceptions[0] from None
    amqp_url, amqp_off = broker.result()
    return Servers(database_url=database.result(), amqp_url=amqp_url, amqp_off=amqp_off)


async def _database(stack: AsyncExitStack, settings: Settings, beside: Endpoints | None) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    if beside is not None:
        return beside.database_url
    return (await stack.enter_async_context(EmbeddedPostgres(settings.home))).url


async def _broker(stack: AsyncExitStack, settings: Settings, beside: Endpoints | None) -> tuple[str | None, str | None]:
    if settings.amqp_is_off:
        return None, "AMQP is off because TWINLOG_AMQP_URL says so."
    if settings.amqp_url is not None:
        return settings.amqp_url.get_secret_value(), None
    if beside is not None:
        return beside.amqp_url, None if beside.amqp_url else "AMQP is off in the service that runs beside this one."
    if find_installation(settings.home) is None:
        return None, f"AMQP is off. {MISSING}, or set TWINLOG_AMQP_URL."
    return (await stack.enter_async_context(EmbeddedRabbitMQ(settings.home))).url, None
