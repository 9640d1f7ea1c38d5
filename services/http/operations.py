"""For those who run the service: is it up, is it ready, what is it doing.

``/health`` and ``/ready`` need no credentials and say nothing but up or down and which part is missing. ``/metrics``
needs the devops user, except on a server bound to loopback, where whoever can ask is on this machine already (a proxy
beside it must not pass the path on). ``/status`` always needs the devops user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp.web import Response as HttpResponse
from aiohttp.web import StreamResponse
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from protocol.json import JsonObject
from services.http.answers import SERVER, answer
from services.http.exchange import Exchange
from services.http.routes import Place, Route

CHECK_SECONDS: Final = 2.0

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""Asks a part whether it works: None if it does, else the reason why not, fit for strangers' eyes."""

Facts: TypeAlias = Callable[[], Awaitable[JsonObject]]
"""What an operator may want to know of a part."""


async def _no_facts() -> JsonObject:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """What the operators' routes look at. ``checks`` decide over ``/ready``; ``facts`` fill ``/status``."""

    version: str
    checks: Mapping[str, Check]
    facts: Facts = _no_facts
    metrics: CollectorRegistry = REGISTRY
    open_metrics: bool = False


def routes(operations: Operations) -> tuple[Route, ...]:
    """The rows of the routing table for operators, and the page at the root."""

    async def health(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        return _up_or_down(exchange, {"process": "is stopping" if exchange.edge.stopping.is_set() else None})

    async def ready(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found: dict[str, str | None] = {"process": "is stopping" if exchange.edge.stopping.is_set() else None}
        reasons = await asyncio.gather(*(_ask(check) for check in operations.checks.values()))
        return _up_or_down(exchange, found | dict(zip(operations.checks, reasons, strict=True)))

    async def status(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        body: JsonObject = {"name": "twinlog", "version": operations.version, **await operations.facts()}
        return answer(200, body, exchange.correlation_id, {})

    async def metrics(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        headers = {"correlation-id": exchange.correlation_id, "Server": SERVER, "Content-Type": CONTENT_TYPE_LATEST}
        return HttpResponse(body=generate_latest(operations.metrics), headers=headers)

    async def root(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        body: JsonObject = {"name": "twinlog", "version": operations.version, **_PLACES}
        return answer(200, body, exchange.correlation_id, {})

    return (
        Route(path="/", methods={"GET": root}, access="open", trailing_slash=False),
        Route(path="/health", methods={"GET": health}, access="open"),
        Route(path="/ready", methods={"GET": ready}, access="open"),
        Route(path="/status", methods={"GET": status}, access="operator", trailing_slash=False),
        Route(path="/metrics", methods={"GET": metrics}, access="open" if operations.open_metrics else "operator"),
    )


_PLACES: Final[JsonObject] = {
    "things": "/api/2/things",
    "whoami": "/api/2/whoami",
    "health": "/health",
    "ready": "/ready",
    "documentation": "https://eclipse.dev/ditto/http-api-doc.html",
}


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"does not answer within {CHECK_SECONDS:g} s"


def _up_or_down(exchange: Exchange, parts: Mapping[str, str | None]) -> StreamResponse:
    down = {name: reason for name, reason in parts.items() if reason is not None}
    if not down:
        return answer(200, {"status": "UP"}, exchange.correlation_id, {})
    body: JsonObject = {"status": "DOWN", "parts": {name: {"status": "DOWN", "reason": down[name]} for name in down}}
    return answer(503, body, exchange.correlation_id, {"Retry-After": 1})
