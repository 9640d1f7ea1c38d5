"""Handing over a command that changes something, and waiting for what the client asked to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from aiohttp.web import StreamResponse

from protocol.acknowledgements import Outcome, aggregate_status
from protocol.json import MISSING, JsonValue, Missing
from protocol.signals import Command, Response
from services.expectations import Expectation
from services.http.answers import answer, response_answer
from services.http.exchange import Exchange
from services.outcomes import outcomes

UNAWAITED_SECONDS: Final = 3
"""How long an error may still come back to a client that wants no response. Source: Ditto's default."""


async def change(
    exchange: Exchange,
    command: Command,
    headers: Mapping[str, JsonValue],
    expectation: Expectation,
    *,
    location: str,
) -> StreamResponse:
    """Have the command executed and answer when what the client expects is there; ``location`` is for a creation.

    Source: Ditto documentation, page *basic-acknowledgements*.
    """
    if not expectation.response_required and not expectation.labels:
        return await _unawaited(exchange, command)
    started = asyncio.get_running_loop().time()
    # The events of an action do not tell its answer, and to execute it twice does no harm.
    command_id = exchange.command_id() if command.verb != "execute" else None
    response = await exchange.edge.commands.execute(
        command, exchange.auth, command_id=command_id, edge="http", timeout=expectation.seconds
    )
    if expectation.foreign_labels:
        return await _acknowledged(exchange, response, expectation, started)
    if not expectation.response_required:
        return answer(202, MISSING, exchange.correlation_id, {})
    # A JSON Patch may have turned out to create something below the path that it was sent to.
    created = "".join("/" + quote(key, safe="") for key in response.path[len(command.path) :])
    return response_answer(exchange, response, headers, location=location + created)


async def _unawaited(exchange: Exchange, command: Command) -> StreamResponse:
    """202 as soon as it is clear that the command was not refused, or when that takes too long; it goes on then."""
    future = exchange.edge.commands.submit(command, exchange.auth, command_id=exchange.command_id(), edge="http")
    await asyncio.wait((future,), timeout=UNAWAITED_SECONDS)
    if future.done():
        future.result()
    else:
        future.add_done_callback(_drop)
    return answer(202, MISSING, exchange.correlation_id, {})


def _drop(future: asyncio.Future[Response]) -> None:
    if not future.cancelled():
        future.exception()


async def _acknowledged(
    exchange: Exchange, response: Response, expectation: Expectation, started: float
) -> StreamResponse:
    seconds = exchange.edge.bounds.timeout_seconds if expectation.seconds is None else expectation.seconds
    collected = await outcomes(
        response,
        expectation,
        seconds=seconds,
        began=started,
        index=exchange.edge.searching,
        stopping=exchange.edge.stopping,
    )
    return answer(aggregate_status(collected), _body(collected, expectation), exchange.correlation_id, {})


def _body(collected: Mapping[str, Outcome], expectation: Expectation) -> JsonValue | Missing:
    if expectation.response_required and len(collected) == 1:
        return next(iter(collected.values())).payload
    return {label: ack.to_json(full=expectation.response_required) for label, ack in collected.items()}
