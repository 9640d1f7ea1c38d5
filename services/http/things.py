"""The things of HTTP API 2: their rows in the routing table, and one action per method.

Source: Ditto documentation, page *http-api-doc* (tags Things, Features).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp.web import StreamResponse

from protocol import pointers
from protocol.errors import ThingIdNotSettable
from protocol.identifiers import ThingId, with_default_namespace
from protocol.pointers import Pointer
from services.http import bodies, many
from services.http.exchange import Exchange
from services.http.resources import ReadBody, change_at, creating, delete, putting, retrieve, without
from services.http.routes import Action, Captures, Locate, Place, Route
from services.http.urls import percent_decode

THINGS: Final = "/api/2/things"
_THING_PARTS: Final = 5


def routes(default_namespace: str) -> tuple[Route, ...]:
    """Every thing resource that HTTP serves."""

    def row(path: str, methods: Mapping[str, Action], *, trailing_slash: bool = True) -> Route:
        locate = _locator(path, default_namespace)
        return Route(path=path, methods=methods, locate=locate, trailing_slash=trailing_slash)

    an_object, anything, text = (
        _actions(bodies.read_object),
        _actions(bodies.read_value),
        _actions(bodies.read_text_or_value),
    )
    create = creating(THINGS, ThingId.parse, "thingId", ThingIdNotSettable)
    feature = f"{THINGS}/{{}}/features/{{}}"
    return (
        Route(path=THINGS, methods={"GET": many.retrieve_many, "POST": create}),
        row(f"{THINGS}/{{}}", an_object),
        row(f"{THINGS}/{{}}/policyId", without(text, "DELETE"), trailing_slash=False),
        row(f"{THINGS}/{{}}/definition", anything),
        row(f"{THINGS}/{{}}/attributes", an_object),
        row(f"{THINGS}/{{}}/attributes/{{*}}", anything),
        row(f"{THINGS}/{{}}/features", an_object),
        row(feature, an_object),
        row(f"{feature}/definition", anything),
        row(f"{feature}/properties", an_object),
        row(f"{feature}/properties/{{*}}", anything),
        row(f"{feature}/desiredProperties", an_object),
        row(f"{feature}/desiredProperties/{{*}}", anything),
    )


def _actions(read: ReadBody) -> Mapping[str, Action]:
    async def patch(exchange: Exchange, place: Place) -> StreamResponse:
        headers = exchange.headers()
        # What the value of a merge is, its media type says: the decision reads a JSON Patch on the state it decides on.
        if bodies.media_type(exchange, bodies.MERGE_PATCH, bodies.JSON_PATCH) == bodies.JSON_PATCH:
            headers["content-type"] = bodies.JSON_PATCH
        return await change_at(exchange, place, "merge", await read(exchange), headers)

    return {"GET": retrieve, "PUT": putting(read), "PATCH": patch, "DELETE": delete}


def _locator(path: str, default_namespace: str) -> Locate:
    template = path.split("/")[_THING_PARTS:]

    def locate(captures: Captures) -> Place:
        thing_id = ThingId.parse(with_default_namespace(captures[0], default_namespace))
        caught = iter(captures[1:])
        pointer: Pointer = ()
        for part in template:
            if part == "{*}":
                pointer += pointers.parse("/" + percent_decode(next(caught)))
            else:
                pointer += (pointers.check_key(next(caught)) if part == "{}" else part,)
        return Place(thing_id, pointer)

    return locate
