"""``/search/things`` with ``/count`` and ``/aggregate`` below it, with parameters in the query or as a form.

Source: Ditto documentation, pages *httpapi-search* and *basic-search*; aggregates are beyond Ditto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp.web import StreamResponse

from protocol.errors import HeaderInvalid
from protocol.json import JsonObject, JsonValue
from services import expectations
from services.http import bodies
from services.http.answers import answer
from services.http.exchange import Exchange
from services.http.refusals import bad_uri
from services.http.routes import Place, Route
from services.http.urls import Query, read_query
from services.searching.indexes import check_namespace
from services.searching.searching import Search, Searching

FORM: Final = "application/x-www-form-urlencoded"
POSITION: Final = "twinlog-position"


def routes(searching: Searching) -> tuple[Route, ...]:
    """The rows of the routing table for search."""

    async def page(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await searching.page(_search(exchange, exchange.query))
        return answer(200, found, exchange.correlation_id, {})

    async def page_of_form(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await searching.page(_search(exchange, await _form(exchange)))
        return answer(200, found, exchange.correlation_id, {})

    async def count(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await searching.count(_search(exchange, exchange.query))
        return answer(200, found, exchange.correlation_id, {})

    async def count_of_form(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await searching.count(_search(exchange, await _form(exchange)))
        return answer(200, found, exchange.correlation_id, {})

    async def aggregate(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await _aggregate(searching, exchange, exchange.query)
        return answer(200, found, exchange.correlation_id, {})

    async def aggregate_of_form(exchange: Exchange, place: Place) -> StreamResponse:
        del place
        found = await _aggregate(searching, exchange, await _form(exchange))
        return answer(200, found, exchange.correlation_id, {})

    return (
        Route(path="/api/2/search/things", methods={"GET": page, "POST": page_of_form}),
        Route(path="/api/2/search/things/count", methods={"GET": count, "POST": count_of_form}),
        Route(path="/api/2/search/things/aggregate", methods={"GET": aggregate, "POST": aggregate_of_form}),
    )


async def _aggregate(searching: Searching, exchange: Exchange, parameters: Query) -> JsonObject:
    group, select = (",".join(filter(None, parameters.get(name, ()))) for name in ("group", "select"))
    return await searching.aggregate(_search(exchange, parameters), group=group, select=select)


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
