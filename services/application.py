"""The whole service in one process, put together from its settings: what is opened, in which order, and closed again.

Roles say what a process does beside holding the log: ``http`` and ``amqp`` take commands, ``publisher`` sends events,
``projector`` keeps the read models, ``announcer`` announces and removes subjects that expire. Any number of processes
may have any of them; what only one may do at a time it does under a lease or a claim.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog

from eventstore.errors import StoreError
from eventstore.migrations import migrate
from eventstore.pool import create_pool
from services.announcer.setup import open_announcing
from services.broker import Broker, open_broker
from services.core import Core, open_core
from services.credentials import MadeUpCredentials, keep_credentials
from services.embedded.processes import ServerFailed
from services.endpoints import Endpoints, published_endpoints, read_endpoints
from services.frontend import open_frontend
from services.searching.setup import open_searching
from services.servers import Servers, open_servers
from services.settings import Settings
from services.shutdown import ShutdownBudget

ROLES: Final = ("http", "amqp", "publisher", "projector", "announcer")

log = structlog.get_logger(__name__)


class StartFailed(Exception):
    """The service cannot start; the text says what to do about it."""


@dataclass(slots=True, kw_only=True)
class Application:
    """A running service."""

    settings: Settings
    roles: frozenset[str]
    servers: Servers
    core: Core
    broker: Broker | None
    credentials: MadeUpCredentials | None
    http_port: int | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def http_url(self) -> str | None:
        """Where HTTP is served, without credentials."""
        return None if self.http_port is None else f"http://{self.settings.http_host}:{self.http_port}"

    def start(self, work: Iterable[tuple[str, Coroutine[object, object, None]]]) -> None:
        """Run the coroutines until the service ends; one that ends by itself ends the service."""
        self.tasks.extend(asyncio.create_task(coroutine, name=name) for name, coroutine in work)

    async def until(self, stopping: asyncio.Event) -> None:
        """Serve until told to stop. Raises what a part of the service died of, should one die."""
        waiting = asyncio.create_task(stopping.wait())
        try:
            done, _ = await asyncio.wait({waiting, *self.tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                log.error("part_ended", part=task.get_name())
                task.result()
        finally:
            waiting.cancel()
        log.info("stopping")


@contextlib.asynccontextmanager
async def running(settings: Settings, roles: frozenset[str]) -> AsyncIterator[Application]:
    """A service that answers; on the way out it finishes what it has taken. Raises ``StartFailed``."""
    async with AsyncExitStack() as stack:
        try:
            application = await _assembled(stack, settings, roles)
        except (ServerFailed, StoreError, OSError) as trouble:
            raise StartFailed(f"Twinlog cannot start: {trouble}") from trouble
        yield application


async def _assembled(stack: AsyncExitStack, settings: Settings, roles: frozenset[str]) -> Application:
    credentials = _made_up(settings)
    servers = await open_servers(stack, settings)
    await migrate(servers.database_url)
    pool = await create_pool(servers.database_url, size=settings.database_pool_size)
    stack.push_async_callback(_close_pool, pool.close, pool.terminate)
    budget = ShutdownBudget(settings.shutdown_seconds)
    core = await open_core(stack, settings, pool)
    stack.push_async_callback(_finish, core.commanding.stop, budget)
    searches = bool(roles & {"http", "amqp"})
    searching = await open_searching(stack, settings, servers.database_url, core) if searches else None
    broker = None
    if servers.amqp_url is not None:
        api_user = None if credentials is None else credentials.user
        broker = open_broker(settings, servers.amqp_url, core, roles, api_user=api_user, searching=searching)
    application = Application(
        settings=settings, roles=roles, servers=servers, core=core, broker=broker, credentials=credentials
    )
    stack.push_async_callback(_end, application.tasks, budget)
    _start(stack, application, budget)
    if "http" in roles and searching is not None:
        application.http_port = await open_frontend(
            stack, settings, core, broker, credentials, searching, shutdown_seconds=budget.work
        )
    _publish_endpoints(stack, application)
    stack.callback(budget.begin)
    return application


def _start(stack: AsyncExitStack, application: Application, budget: ShutdownBudget) -> None:
    """Let run what the roles of the process have to do by themselves."""
    core, broker = application.core, application.broker
    application.start(core.work(projector="projector" in application.roles))
    if broker is not None:
        application.start(broker.work())
        stack.push_async_callback(_finish, broker.stop, budget)
    if "announcer" in application.roles:
        announcing = open_announcing(application.settings, core, None) if broker is None else broker.announcing
        application.start(announcing.work())


def _made_up(settings: Settings) -> MadeUpCredentials | None:
    """A user of our own, unless the settings say who may come in."""
    if settings.basic_users or settings.pre_authentication or settings.openid_issuers:
        return None
    return keep_credentials(settings.home, settings.http_host)


def _publish_endpoints(stack: AsyncExitStack, application: Application) -> None:
    """Tell the command line where we are, unless a service beside us has done so."""
    if read_endpoints(application.settings.home) is not None:
        return
    user = _login(application)
    http_url = application.http_url
    endpoints = Endpoints(
        pid=os.getpid(),
        http_url=http_url if http_url is None or user is None else http_url.replace("://", f"://{user}@", 1),
        database_url=application.servers.database_url,
        amqp_url=application.servers.amqp_url,
    )
    stack.enter_context(published_endpoints(application.settings.home, endpoints))


def _login(application: Application) -> str | None:
    credentials = application.credentials
    if credentials is not None:
        return f"{credentials.user}:{credentials.password}"
    for user, password in application.settings.basic_users.items():
        return f"{user}:{password.get_secret_value()}"
    return None


async def _close_pool(close: Callable[[], Coroutine[object, object, None]], terminate: Callable[[], None]) -> None:
    try:
        async with asyncio.timeout(1):
            await close()
    except (TimeoutError, OSError):
        terminate()


async def _finish(stop: Callable[[float], Coroutine[object, object, None]], budget: ShutdownBudget) -> None:
    await stop(budget.left())


async def _end(tasks: list[asyncio.Task[None]], budget: ShutdownBudget) -> None:
    """Cancel the tasks. They give their leases back, which a database that does not answer must not hold up."""
    for task in tasks:
        task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(budget.closing):
            await asyncio.gather(*tasks, return_exceptions=True)
