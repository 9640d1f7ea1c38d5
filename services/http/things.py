"""The things of HTTP API 2: their rows in the routing table, and one action per method.

Source: Ditto documentation, page *http-api-doc*, and http-api.md section 12.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import quote

from aiohttp.web import StreamResponse

from protocol import pointers
from protocol.errors import JsonFormatInvalid, ThingIdNotSettable
from protocol.identifiers import ThingId, with_default_namespace
from protocol.json import MISSING, JsonValue, Missing
from protocol.pointers import Pointer
from protocol.signals import Command, Verb
from services.http import bodies, expectations, many
from services.http.answers import response_answer
from services.http.changes import change
from services.http.exchange import Exchange
from services.http.routes import Action, Captures, Locate, Place, Route
from services.http.urls import percent_decode

THINGS: Final = "/api/2/things"
_THING_PARTS: Final = 5

ReadBody: TypeAlias = Callable[[Exchange], Awaitable[JsonValue]]


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
    feature = f"{THINGS}/{{}}/features/{{}}"
    return (
        Route(path=THINGS, methods={"GET": many.retrieve_many, "POST": _create}),
        row(f"{THINGS}/{{}}", an_object),
        row(f"{THINGS}/{{}}/policyId", _without_delete(text), trailing_slash=False),
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
    async def put(exchange: Exchange, place: Place) -> StreamResponse:
        headers = exchange.headers()
        bodies.media_type(exchange, bodies.JSON)
        return await _change(exchange, place, "modify", await read(exchange), headers)

    async def patch(exchange: Exchange, place: Place) -> StreamResponse:
        headers = exchange.headers()
        # What the value of a merge is, its media type says: the decision reads a JSON Patch on the state it decides on.
        if bodies.media_type(exchange, bodies.MERGE_PATCH, bodies.JSON_PATCH) == bodies.JSON_PATCH:
            headers["content-type"] = bodies.JSON_PATCH
        return await _change(exchange, place, "merge", await read(exchange), headers)

    return {"GET": _retrieve, "PUT": put, "PATCH": patch, "DELETE": _delete}


def _without_delete(actions: Mapping[str, Action]) -> Mapping[str, Action]:
    return {method: action for method, action in actions.items() if method != "DELETE"}


async def _retrieve(exchange: Exchange, place: Place) -> StreamResponse:
    headers = exchange.headers()
    seconds = expectations.of_query(headers).seconds
    command = _command(place, "retrieve", MISSING, headers, fields=exchange.fields())
    response = await exchange.edge.commands.execute(command, exchange.auth, edge="http", timeout=seconds)
    return response_answer(exchange, response, headers)


async def _delete(exchange: Exchange, place: Place) -> StreamResponse:
    return await _change(exchange, place, "delete", MISSING, exchange.headers())


async def _create(exchange: Exchange, place: Place) -> StreamResponse:
    del place
    headers = exchange.headers()
    bodies.media_type(exchange, bodies.JSON)
    thing = await bodies.read_object(exchange)
    if not isinstance(thing, dict):
        raise JsonFormatInvalid("the request body", "an object")
    if "thingId" in thing:
        raise ThingIdNotSettable(str(thing["thingId"]))
    thing_id = _new_thing_id(exchange)
    location = f"{exchange.origin()}{THINGS}/{quote(thing_id, safe=':._~-')}"
    command = _command(Place(thing_id), "create", thing, headers)
    return await change(exchange, command, headers, location=location)


def _new_thing_id(exchange: Exchange) -> ThingId:
    """A random id; with an ``Idempotency-Key`` always the same, or a repeated request would make a second thing."""
    namespace = exchange.query.get("namespace", (exchange.edge.default_namespace,))[-1]
    key = exchange.command_id()
    if key is None:
        name = uuid.uuid4()
    else:
        seed = "\n".join((exchange.auth.default_subject, namespace, key)).encode()
        name = uuid.UUID(bytes=hashlib.blake2b(seed, digest_size=16).digest(), version=5)
    return ThingId.parse(f"{namespace}:{name}")


async def _change(
    exchange: Exchange, place: Place, verb: Verb, value: JsonValue | Missing, headers: dict[str, JsonValue]
) -> StreamResponse:
    command = _command(place, verb, value, headers)
    return await change(exchange, command, headers, location=exchange.origin() + exchange.path)


def _command(
    place: Place,
    verb: Verb,
    value: JsonValue | Missing,
    headers: dict[str, JsonValue],
    fields: str | None = None,
) -> Command:
    assert place.entity_id is not None  # noqa: S101 - every row below /things/{} locates a thing
    return Command(
        entity_id=place.entity_id, verb=verb, path=place.pointer, value=value, fields=fields, headers=headers
    )


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
