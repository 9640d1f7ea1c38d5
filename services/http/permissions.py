"""``POST /checkPermissions``: what the caller may do. Source: Ditto documentation, page *http-api-doc*."""

from __future__ import annotations

from typing import Final

from aiohttp.web import StreamResponse

from protocol.enforcement.checks import read_checks
from protocol.errors import HeaderInvalid
from protocol.signals import CheckPermissions
from services import expectations
from services.http import bodies
from services.http.answers import answer
from services.http.exchange import Exchange
from services.http.routes import Place, Route


async def _check(exchange: Exchange, place: Place) -> StreamResponse:
    """Answer the questions of the body; with ``explain=true``, beyond Ditto, also say what decided."""
    del place
    headers = exchange.headers()
    seconds = expectations.of_query(headers).seconds
    bodies.media_type(exchange, bodies.JSON)
    checks = read_checks(await bodies.read_object(exchange))
    signal = CheckPermissions(checks=checks, explain=_explain(exchange), headers=headers)
    response = await exchange.edge.commands.execute(signal, exchange.auth, edge="http", timeout=seconds)
    return answer(response.status, response.value, exchange.correlation_id, {})


def _explain(exchange: Exchange) -> bool:
    given = exchange.query.get("explain", ("false",))[-1]
    if given not in {"true", "false"}:
        raise HeaderInvalid("explain", "true or false", given)
    return given == "true"


ROUTES: Final = (Route(path="/api/2/checkPermissions", methods={"POST": _check}),)
