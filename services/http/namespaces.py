"""``/namespaces/<namespace>/search-index``: what of a namespace can be searched, for operators (beyond Ditto).

    GET     {"namespace": "farm", "fields": ["attributes", "thingId"], "state": "complete", "changedAt": ..., ...}
    PUT     {"fields": ["attributes/room", "features/*/properties/temperature", "_modified"]}
            {"fields": "default"} or {"fields": "all"}
    DELETE  everything is indexed again

``PUT`` and ``DELETE`` answer as ``GET`` does when the change is in the log; the things get their index afterwards, and
``state`` is ``indexing`` until they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp.web import StreamResponse

from eventstore.errors import StoreError
from projections.search.fields import EVERYTHING, Fields, read_fields
from protocol.errors import JsonFieldMissing, SearchIndexInvalid
from services.commanding.errors import StoreDown
from services.http import bodies
from services.http.answers import answer
from services.http.exchange import Exchange
from services.http.routes import Captures, Place, Route
from services.searching.indexes import SearchIndexes, check_namespace


def routes(indexes: SearchIndexes) -> tuple[Route, ...]:
    """The rows of the routing table."""

    async def show(exchange: Exchange, place: Place) -> StreamResponse:
        with _translated():
            found = await indexes.read(_namespace(place))
        headers = {"twinlog-position": found.position} if found.position else {}
        return answer(200, found.to_json(), exchange.correlation_id, headers)

    async def put(exchange: Exchange, place: Place) -> StreamResponse:
        bodies.media_type(exchange, bodies.JSON)
        fields = _fields(await bodies.read_object(exchange))
        return await change(exchange, place, fields)

    async def delete(exchange: Exchange, place: Place) -> StreamResponse:
        return await change(exchange, place, EVERYTHING)

    async def change(exchange: Exchange, place: Place, fields: Fields) -> StreamResponse:
        by, correlation_id = exchange.auth.default_subject, exchange.correlation_id
        with _translated():
            await indexes.put(_namespace(place), fields, by=by, correlation_id=correlation_id)
        return await show(exchange, place)

    path = "/api/2/namespaces/{}/search-index"
    methods = {"GET": show, "PUT": put, "DELETE": delete}
    return (Route(path=path, methods=methods, locate=_locate, access="operator"),)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise StoreDown from error


def _locate(captures: Captures) -> Place:
    return Place(pointer=(check_namespace(captures[0]),))


def _namespace(place: Place) -> str:
    (namespace,) = place.pointer
    return namespace


def _fields(body: object) -> Fields:
    if not isinstance(body, dict):
        raise SearchIndexInvalid("the body is no JSON object")
    if "fields" not in body:
        raise JsonFieldMissing("fields")
    return read_fields(body["fields"])
