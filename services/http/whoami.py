"""``GET /whoami``: the subjects a request speaks for. Source: Ditto documentation, page *httpapi-overview*."""

from __future__ import annotations

from typing import Final

from aiohttp.web import StreamResponse

from protocol.json import JsonObject
from services import expectations
from services.http.answers import answer
from services.http.exchange import Exchange
from services.http.routes import Place, Route


async def _whoami(exchange: Exchange, place: Place) -> StreamResponse:
    """Headers are read as for every other query, so that nobody is two callers at once."""
    del place
    expectations.of_query(exchange.headers())
    body: JsonObject = {"defaultSubject": exchange.auth.default_subject, "subjects": list(exchange.auth.subjects)}
    return answer(200, body, exchange.correlation_id, {})


ROUTES: Final = (Route(path="/api/2/whoami", methods={"GET": _whoami}),)
