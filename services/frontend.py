"""The HTTP side of a process."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Final

from pydantic import SecretStr

from eventstore.errors import StoreError
from protocol.placeholders import names_of
from services.auth.setup import api_authentication, operator_authentication
from services.broker import Broker
from services.core import Core, now
from services.credentials import MadeUpCredentials
from services.http.app import create_app
from services.http.exchange import Bounds
from services.http.operations import Check, Operations
from services.http.proxies import TrustedProxies
from services.http.server import serve_http
from services.http.throttle import Throttle, Throttles
from services.searching.indexes import SearchIndexes
from services.searching.searching import Searching
from services.settings import Settings

RATE_PER_ADDRESS: Final = 2_000.0
RATE_PER_SUBJECT: Final = 1_000.0
"""Requests per second where strangers can reach the server and nothing else is set."""


async def open_frontend(
    stack: AsyncExitStack,
    settings: Settings,
    core: Core,
    broker: Broker | None,
    credentials: MadeUpCredentials | None,
    searching: Searching,
    *,
    shutdown_seconds: float,
) -> int:
    """Serve HTTP until the stack is left, which finishes what is in flight in ``shutdown_seconds``; gives the port."""
    known = _with_credentials(settings, credentials)
    app = create_app(
        core.commanding,
        api=api_authentication(known),
        operators=operator_authentication(known),
        operations_of=_operations(settings, core, broker),
        default_namespace=settings.default_namespace,
        bounds=_bounds(settings),
        public_url=settings.public_url,
        searching=searching,
        search_indexes=SearchIndexes(store=core.store, pool=core.pool, clock=now),
        throttles=_throttles(settings),
        proxies=TrustedProxies(settings.trusted_proxies),
        action_headers=frozenset(map(str.lower, names_of(settings.integration_subject, "header"))),
    )
    return await stack.enter_async_context(
        serve_http(
            app,
            host=settings.http_host,
            port=settings.http_port,
            shutdown_seconds=shutdown_seconds,
            uri_bytes=settings.http_max_uri_bytes,
            header_bytes=settings.http_max_header_bytes,
        )
    )


def _operations(settings: Settings, core: Core, broker: Broker | None) -> Operations:
    return Operations(
        version=version("twinlog"),
        checks=_checks(core, broker),
        metrics=core.metrics.registry,
        open_metrics=settings.is_private,
    )


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        body_bytes=settings.http_max_body_bytes,
        json_depth=settings.json_max_depth,
        timeout_seconds=settings.http_timeout_seconds,
    )


def _throttles(settings: Settings) -> Throttles:
    def throttle(rate: float | None, usual: float) -> Throttle | None:
        chosen = (0.0 if settings.is_private else usual) if rate is None else rate
        return Throttle(chosen, time=time.monotonic) if chosen > 0 else None

    return Throttles(
        address=throttle(settings.http_rate_per_address, RATE_PER_ADDRESS),
        subject=throttle(settings.http_rate_per_subject, RATE_PER_SUBJECT),
    )


def _with_credentials(settings: Settings, credentials: MadeUpCredentials | None) -> Settings:
    """The settings with what the first start made up where nothing was given."""
    if credentials is None:
        return settings
    given: dict[str, object] = {"basic_users": {credentials.user: SecretStr(credentials.password)}}
    if settings.devops_password is None:
        given["devops_password"] = SecretStr(credentials.devops_password)
    return settings.model_copy(update=given)


def _checks(core: Core, broker: Broker | None) -> dict[str, Check]:
    async def database() -> str | None:
        try:
            await core.store.head()
        except StoreError:
            return "does not answer"
        return None

    checks: dict[str, Check] = {"database": database}
    if broker is not None:
        checks["broker"] = broker.problem
    return checks
