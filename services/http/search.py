"""``/search/things`` with ``/count`` and ``/aggregate`` below it, with parameters in the query or as a form.

Source: Ditto documentation, pages *httpapi-search* and *basic-search*; aggregates are beyond Ditto.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from aiohttp.web import StreamResponse

from protocol.errors import HeaderInvalid
from protocol.json import JsonValue
from services import expectations
from services.http import bodies
from services.http.answers import answer
from services.http.exchange import Exchange
from services.http.refusals import bad_uri
from services.http.routes import Action, Place, Route
from services.http.urls import Query, read_query
from services.searching.indexes import check_namespace
from services.searching.searching import Search, Searching

FORM: Final = "application/x-www-form-urlencoded"
POSITION: Final = "twinlog-position"


Question: TypeAlias = Callable[[Exchange, Query], Awaitable[JsonValue]]
"""What is asked by the parameters of a request, and its answer as JSON."""


def routes(searching: Searching) -> tuple[Route, ...]:
    """The rows of the routing table for search: each question by ``GET`` with a query, and by ``POST`` with a form."""

    async def page(exchange: Exchange, parameters: Query) -> JsonValue:
        return await searching.page(_search(exchange, parameters))

    async def count(exchange: Exchange, parameters: Query) -> JsonValue:
        return await searching.count(_search(exchange, parameters))

    async def aggregate(exchange: Exchange, parameters: Query) -> JsonValue:
        group, select = (",".join(filter(None, parameters.get(name, ()))) for name in ("group", "select"))
        return await searching.aggregate(_search(exchange, parameters), group=group, select=select)

    return (
        Route(path="/api/2/search/things", methods=_asking(page)),
        Route(path="/api/2/search/things/count", methods=_asking(count)),
        Route(path="/api/2/search/things/aggregate", methods=_asking(aggregate)),
    )


def _asking(question: Question) -> Mapping[str, Action]:
    async def get(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        return answer(200, await question(exchange, exchange.query), exchange.correlation_id, {})

    async def post(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        return answer(200, await question(exchange, await _form(exchange)), exchange.correlation_id, {})

    return {"GET": get, "POST": post}


async def _form(exchange: Exchange) -> Query:
    """The parameters of the body and of the query together; the body counts where both name one."""
    bodies.media_type(exchange, FORM)
    try:
        text = (await bodies.read_bytes(exchange)).decode()
    except UnicodeDecodeError:
        raise bad_uri("the form is not UTF-8") from None
    return {**exchange.query, **read_query(text)}


def _search(exchange: Exchange, parameters: Query) -> Search:
    headers = exchange.headers()
    condition = headers.get("condition")
    conditions = parameters.get("condition", (str(condition),) if condition is not None else ())
    filters = tuple(text for text in parameters.get("filter", ()) if text.strip())
    return Search(
        auth=exchange.auth,
        filters=(*filters, *conditions),
        namespaces=_namespaces(parameters),
        option=",".join(filter(None, parameters.get("option", ()))),
        fields=",".join(parameters["fields"]) if "fields" in parameters else None,
        seconds=expectations.of_query(_with_timeout(headers, parameters)).seconds,
        position=_position(exchange),
        edge="http",
    )


def _with_timeout(headers: Mapping[str, JsonValue], parameters: Query) -> dict[str, JsonValue]:
    return {**headers, **({"timeout": parameters["timeout"][-1]} if "timeout" in parameters else {})}


def _namespaces(parameters: Query) -> tuple[str, ...] | None:
    if "namespaces" not in parameters:
        return None
    found = tuple(dict.fromkeys(name.strip() for text in parameters["namespaces"] for name in text.split(",")))
    for name in found:
        check_namespace(name)
    return found


def _position(exchange: Exchange) -> int | None:
    given = exchange.request.headers.get(POSITION)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise HeaderInvalid(POSITION, "the position that a change was answered with", given)
    return int(given)
